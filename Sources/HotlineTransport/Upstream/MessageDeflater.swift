import HotlineDeflate
import NIOCore

/// Compresses the messages to a server, one after the other (RFC 7692, 7.2.1).
///
/// A message is compressed as its frames are written, a piece at a time, so that neither the whole
/// of it is held nor the loop held up. Daemon loop.
final class MessageDeflater {
  /// Shorter messages are not worth the work; they go out as they are.
  static let messageBytesMin = 64
  /// The quickest: on requests of text it saves two thirds, where the best saves three quarters in
  /// four times the time, and the loop waits for neither.
  private static let level = 1
  /// What compressing a byte costs in the time that it takes to write one.
  private static let costPerByte = 4
  private static let bytesKept = 2 * FrameEncoder.fragmentBytes

  private let windowBits: Int
  private let keepsContext: Bool
  private let memory: ZlibMemory
  /// Made for the first message, for it is large.
  private var deflater: Deflater?
  /// What has been compressed of the current message and not yet written.
  private var compressed = ByteBuffer()
  /// All of the current message has been compressed.
  private var isFlushed = false
  /// A frame of the current message has been written.
  private var hasBegun = false
  /// Bytes of finished and unfinished messages: as given, and compressed.
  private(set) var bytesTaken = 0
  private(set) var bytesGiven = 0

  /// `nil` where the server's limit for our window is one that zlib cannot compress with: to send
  /// messages as they are is always allowed (RFC 7692, 6.1).
  init?(_ parameters: DeflateParameters, memory: ZlibMemory) {
    guard Deflater.windowBits ~= parameters.clientMaxWindowBits else { return nil }
    windowBits = parameters.clientMaxWindowBits
    keepsContext = !parameters.clientNoContextTakeover
    self.memory = memory
  }

  /// Compresses the next piece of a message, and appends a frame if there is enough for one.
  ///
  /// - Returns: what it cost, in bytes written or worth of them, and whether the message's last
  ///   frame is in `out`.
  func appendNextFrame(
    of cursor: inout MessageCursor, with encoder: inout FrameEncoder, to out: inout ByteBuffer
  ) -> (cost: Int, isFinished: Bool) {
    var cost = 0
    if !isFlushed, compressed.readableBytes < FrameEncoder.fragmentBytes {
      cost = compress(&cursor) * Self.costPerByte
    }
    let fragment = min(compressed.readableBytes, FrameEncoder.fragmentBytes)
    let isFinished = isFlushed && fragment == compressed.readableBytes
    guard isFinished || fragment == FrameEncoder.fragmentBytes,
      let payload = compressed.readSlice(length: fragment)
    else { return (cost, false) }
    encoder.appendDeflated(payload, isFirst: !hasBegun, isFinal: isFinished, to: &out)
    hasBegun = true
    cost += payload.readableBytes
    bytesGiven += payload.readableBytes
    if isFinished { messageEnded() } else { compressed.discardReadBytes() }
    return (cost, isFinished)
  }

  /// Gives the bytes taken off the cursor.
  private func compress(_ cursor: inout MessageCursor) -> Int {
    let deflater = deflater ?? Deflater(windowBits: windowBits, level: Self.level, memory: memory)
    self.deflater = deflater
    let count = min(cursor.bytesLeft, FrameEncoder.fragmentBytes)
    var left = count
    while left > 0 {
      left -= cursor.withNextBytes(atMost: left) { bytes in
        deflate(bytes, flush: false, with: deflater)
      }
    }
    if cursor.bytesLeft == 0 {
      deflate(UnsafeRawBufferPointer(start: nil, count: 0), flush: true, with: deflater)
      // The empty block that ends a flush; the server puts it back.
      precondition(compressed.readableBytes >= 4)
      compressed.moveWriterIndex(to: compressed.writerIndex - 4)
      isFlushed = true
    }
    bytesTaken += count
    return count
  }

  private func deflate(_ bytes: UnsafeRawBufferPointer, flush: Bool, with deflater: Deflater) {
    var rest = bytes
    var isFull = flush
    while isFull || !rest.isEmpty {
      let room = max(rest.count / 2, 1 << 10)
      compressed.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { target in
        let step = deflater.deflate(rest, flush: flush, into: target)
        rest = UnsafeRawBufferPointer(rebasing: rest[step.consumed...])
        isFull = step.produced == target.count
        return step.produced
      }
    }
  }

  private func messageEnded() {
    if !keepsContext { deflater?.reset() }
    isFlushed = false
    hasBegun = false
    if compressed.capacity > Self.bytesKept {
      compressed = ByteBuffer()
    } else {
      compressed.clear()
    }
  }
}
