import HotlineDeflate
import NIOCore

/// Inflates the messages that a server has compressed, as they come (RFC 7692, 7.2.2).
///
/// Daemon loop.
final class MessageInflater {
  private let inflater: Inflater
  private let keepsContext: Bool
  /// Nothing of the current message has come.
  private var isEmpty = true
  /// Bytes of finished and unfinished compressed messages: as they came, and inflated.
  private(set) var bytesTaken = 0
  private(set) var bytesGiven = 0

  /// What the sender has left off each message (RFC 7692, 7.2.1).
  private static let tail: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]
  /// Least room for what comes of a piece: a usual event has less.
  private static let roomMin = 1 << 10

  init(_ parameters: DeflateParameters, memory: ZlibMemory) {
    // Old servers that agree to 8 use 9, which zlib of their time did silently.
    inflater = Inflater(windowBits: max(9, parameters.serverMaxWindowBits), memory: memory)
    keepsContext = !parameters.serverNoContextTakeover
  }

  /// Appends to `message` what comes of the next piece of it.
  ///
  /// - Throws: `.compressedDataInvalid`; `.messageTooLarge` as soon as `message` has more than
  ///   `bytesMax` bytes, before the rest is inflated. Then the inflater is done with.
  func append(
    _ piece: UnsafeRawBufferPointer, to message: inout ByteBuffer, bytesMax: Int
  ) throws(FrameViolation) {
    bytesTaken += piece.count
    if !piece.isEmpty { isEmpty = false }
    try inflate(piece, into: &message, bytesMax: bytesMax)
  }

  /// The message has ended: appends the last of it.
  func finish(_ message: inout ByteBuffer, bytesMax: Int) throws(FrameViolation) {
    // A compressor that closed the stream instead of flushing it has left nothing off. A message of
    // no bytes says nothing of the kind: the stream was closed by one before it.
    if isEmpty || !inflater.isAtStreamEnd {
      let result = Self.tail.withUnsafeBytes { tail in
        Result { () throws(FrameViolation) in
          try inflate(tail, into: &message, bytesMax: bytesMax)
        }
      }
      try result.get()
    }
    guard inflater.isBetweenBlocks else { throw .compressedDataInvalid }
    isEmpty = true
    if !keepsContext { inflater.reset() }
  }

  private func inflate(
    _ piece: UnsafeRawBufferPointer, into message: inout ByteBuffer, bytesMax: Int
  ) throws(FrameViolation) {
    let bytesBefore = message.readableBytes
    defer { bytesGiven += message.readableBytes - bytesBefore }
    var rest = piece
    var hasMore = true
    while hasMore {
      // One byte more than may be shows that there is more.
      let roomMax = bytesMax + 1 - message.readableBytes
      let wanted = min(max(4 * rest.count, Self.roomMin), roomMax)
      var room = 0
      var step: DeflateStep?
      message.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { target in
        let target = UnsafeMutableRawBufferPointer(rebasing: target.prefix(roomMax))
        room = target.count
        step = try? inflater.inflate(rest, into: target)
        return step?.produced ?? 0
      }
      guard let step else { throw .compressedDataInvalid }
      guard message.readableBytes <= bytesMax else { throw .messageTooLarge }
      rest = UnsafeRawBufferPointer(rebasing: rest[step.consumed...])
      hasMore = step.produced == room
      guard hasMore || rest.isEmpty else { throw .compressedDataInvalid }
    }
  }
}
