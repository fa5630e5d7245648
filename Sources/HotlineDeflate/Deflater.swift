import CZlib

/// Compresses a stream of bytes to raw DEFLATE (RFC 1951).
///
/// Takes 256 KiB with the largest window. Confined to one thread.
package final class Deflater {
  private let stream: UnsafeMutablePointer<z_stream>
  private let memory: ZlibMemory

  /// Window sizes, as powers of two, that zlib can compress with; a raw stream of 8 it cannot.
  package static let windowBits = 9...15
  /// What ``deflate(_:flush:into:)`` must have room for, lest a flush mark is written twice.
  package static let outputBytesMin = 16

  /// - Parameter level: 1 (quick) to 9 (small).
  package init(windowBits: Int, level: Int, memory: ZlibMemory = ZlibMemory()) {
    precondition(Self.windowBits ~= windowBits && 1...9 ~= level)
    self.memory = memory
    stream = memory.makeStream()
    // 8 is zlib's own measure of memory.
    let result = CZlib_deflateInit2(stream, Int32(level), Int32(-windowBits), 8)
    precondition(result == Z_OK, "zlib makes no compressor: \(result)")
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
    withExtendedLifetime(memory) {}
  }

  /// Takes input, and gives output as it comes up.
  ///
  /// With `flush` the output says all that was taken, and ends with an empty stored block, once a
  /// call has not filled its `output`; until then call again. `output` has ``outputBytesMin`` bytes
  /// at least.
  package func deflate(
    _ input: UnsafeRawBufferPointer, flush: Bool, into output: UnsafeMutableRawBufferPointer
  ) -> DeflateStep {
    precondition(output.count >= Self.outputBytesMin)
    stream.offer(input, output)
    let result = CZlib.deflate(stream, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH)
    // Z_BUF_ERROR: there was nothing to do.
    precondition(result == Z_OK || result == Z_BUF_ERROR, "zlib does not compress: \(result)")
    return stream.takeBack(input, output)
  }

  /// Forgets what was compressed before.
  package func reset() {
    let result = deflateReset(stream)
    precondition(result == Z_OK, "zlib does not begin again: \(result)")
  }
}
