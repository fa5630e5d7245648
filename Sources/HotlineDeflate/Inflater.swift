import CZlib

/// The bytes are no DEFLATE stream.
package struct DeflateDataError: Error, Hashable, Sendable {}

/// Undoes raw DEFLATE (RFC 1951).
///
/// Takes 7 KiB, and the window once something has been inflated. Confined to one thread.
package final class Inflater {
  private let stream: UnsafeMutablePointer<z_stream>
  private let memory: ZlibMemory
  /// What was taken ends where a block does.
  package private(set) var isBetweenBlocks = true
  /// What was taken ends with a block that called itself the stream's last.
  package private(set) var isAtStreamEnd = false

  /// - Parameter windowBits: the compressor's window as a power of two, 8...15, or more.
  package init(windowBits: Int, memory: ZlibMemory = ZlibMemory()) {
    precondition(8...15 ~= windowBits)
    self.memory = memory
    stream = memory.makeStream()
    let result = CZlib_inflateInit2(stream, Int32(-windowBits))
    precondition(result == Z_OK, "zlib makes no decompressor: \(result)")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    withExtendedLifetime(memory) {}
  }

  /// Takes input until there is no more of it, or `output`, which must not be empty, is full.
  ///
  /// After a block that calls itself the last the next byte begins another, as RFC 7692, 7.2.3.4,
  /// wants it, with what came before still known.
  /// - Throws: ``DeflateDataError``; then only `deinit` may follow.
  package func inflate(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(DeflateDataError) -> DeflateStep {
    precondition(!output.isEmpty)
    stream.offer(input, output)
    var isEnded = false
    repeat {
      switch CZlib.inflate(stream, Z_SYNC_FLUSH) {
      case Z_OK, Z_BUF_ERROR: isEnded = false
      case Z_STREAM_END:
        isEnded = true
        // Unlike inflateReset() this leaves the window.
        inflateResetKeep(stream)
      case Z_MEM_ERROR: preconditionFailure("zlib has no memory")
      default: throw DeflateDataError()
      }
    } while isEnded && stream.pointee.avail_in > 0 && stream.pointee.avail_out > 0
    // Bit 7: all that was taken ends with a block. A call that does nothing clears it; one that
    // takes nothing may still find a block's end, in bits that it was given before.
    let isBetween = isEnded || stream.pointee.data_type & 128 != 0
    let step = stream.takeBack(input, output)
    if step.consumed > 0 || step.produced > 0 || isBetween {
      isBetweenBlocks = isBetween
      isAtStreamEnd = isEnded
    }
    return step
  }

  /// Forgets what was inflated before.
  package func reset() {
    isBetweenBlocks = true
    isAtStreamEnd = false
    let result = inflateReset(stream)
    precondition(result == Z_OK, "zlib does not begin again: \(result)")
  }
}
