import CZlib

/// A server's side of permessage-deflate on zlib alone: shares no line with the code under test.
///
/// Confined to one thread.
package final class RawDeflate {
  private let deflating = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private let inflating = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

  private var chunk: [UInt8]

  /// - Parameters:
  ///   - windowBits: of what is compressed here, 9...15.
  ///   - clientWindowBits: of what is decompressed here, 9...15; what refers farther back fails.
  package init(windowBits: Int = 15, level: Int = 6, clientWindowBits: Int = 15) {
    deflating.initialize(to: z_stream())
    inflating.initialize(to: z_stream())
    // zlib takes what still lies in the output for a part of the window.
    chunk = [UInt8](repeating: 0, count: clientWindowBits < 15 ? 64 : 64 << 10)
    let isReady =
      CZlib_deflateInit2(deflating, Int32(level), Int32(-windowBits), 8) == Z_OK
      && CZlib_inflateInit2(inflating, Int32(-clientWindowBits)) == Z_OK
    precondition(isReady, "zlib makes no streams")
  }

  deinit {
    deflateEnd(deflating)
    inflateEnd(inflating)
    deflating.deallocate()
    inflating.deallocate()
  }

  /// The payload of a message; `isAnew`: without the context of those before.
  package func compress(_ message: [UInt8], isAnew: Bool = false) -> [UInt8] {
    if isAnew { deflateReset(deflating) }
    // zlib flushes nothing twice, so that is done by hand (RFC 7692, 7.2.3.6).
    guard !message.isEmpty else { return [0] }
    let compressed = run(deflating, message, Z_SYNC_FLUSH, CZlib.deflate)
    return Array(compressed.dropLast(4))
  }

  /// The same with a block that calls itself the last (RFC 7692, 7.2.3.4).
  package func compressClosing(_ message: [UInt8]) -> [UInt8] {
    let compressed = run(deflating, message, Z_FINISH, CZlib.deflate)
    deflateReset(deflating)
    return compressed
  }

  /// - Returns: `nil` for what is no compressed message.
  package func decompress(_ payload: [UInt8], isAnew: Bool = false) -> [UInt8]? {
    if isAnew { inflateReset(inflating) }
    var isWhole = false
    let message = run(inflating, payload + [0, 0, 0xFF, 0xFF], Z_SYNC_FLUSH) { stream, flush in
      let result = CZlib.inflate(stream, flush)
      // Bit 7: it ends with a block; a call that does nothing says Z_BUF_ERROR and clears it.
      if result == Z_OK { isWhole = stream.pointee.data_type & 128 != 0 }
      return result
    }
    return isWhole ? message : nil
  }

  private func run(
    _ stream: UnsafeMutablePointer<z_stream>, _ input: [UInt8], _ flush: Int32,
    _ step: (UnsafeMutablePointer<z_stream>, Int32) -> Int32
  ) -> [UInt8] {
    var result: [UInt8] = []
    input.withUnsafeBufferPointer { input in
      stream.pointee.next_in = input.baseAddress
      stream.pointee.avail_in = uInt(input.count)
      repeat {
        let count = chunk.withUnsafeMutableBufferPointer { chunk in
          stream.pointee.next_out = chunk.baseAddress
          stream.pointee.avail_out = uInt(chunk.count)
          _ = step(stream, flush)
          return chunk.count - Int(stream.pointee.avail_out)
        }
        result += chunk[..<count]
      } while stream.pointee.avail_out == 0
    }
    return result
  }
}
