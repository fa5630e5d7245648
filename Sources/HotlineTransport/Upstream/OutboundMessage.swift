import HotlineWire
import NIOCore

/// One text message to the server, as pieces of the client's line and what goes between them: it
/// is put together only in the frames that carry it.
package struct OutboundMessage: Hashable, Sendable {
  package let line: ByteBuffer
  package let pieces: [BodyPiece]
  /// The sum of the pieces.
  package let bytes: Int

  /// Every range must lie within the line's readable bytes.
  package init(line: ByteBuffer, pieces: [BodyPiece]) {
    self.line = line
    self.pieces = pieces
    self.bytes = pieces.reduce(0) { sum, piece in
      if case .line(let range) = piece {
        precondition(range.lowerBound >= 0 && range.upperBound <= line.readableBytes)
      }
      return sum + piece.byteCount
    }
  }

  /// A message that is one buffer.
  package init(_ line: ByteBuffer) {
    self.init(line: line, pieces: [.line(0..<line.readableBytes)])
  }

  /// The `count` bytes at most that `piece` has from `offset` on, without a copy.
  func withBytes(
    ofPiece piece: Int, from offset: Int, atMost count: Int,
    _ body: (UnsafeRawBufferPointer) -> Void
  ) {
    func part(_ bytes: Slice<UnsafeRawBufferPointer>) {
      body(UnsafeRawBufferPointer(rebasing: bytes.dropFirst(offset).prefix(count)))
    }
    switch pieces[piece] {
    case .line(let range): line.withUnsafeReadableBytes { part($0[range]) }
    case .literal(let literal): literal.withUnsafeBytes { part($0[...]) }
    }
  }

  func byteCount(ofPiece piece: Int) -> Int { pieces[piece].byteCount }
}

/// A message on its way out: how far its frames have come.
struct MessageCursor {
  let message: OutboundMessage
  let token: UInt64
  private(set) var bytesLeft: Int
  /// A frame of it has been made, or compressed.
  private(set) var hasBegun = false
  private var piece = 0
  private var offset = 0

  init(_ message: OutboundMessage, token: UInt64) {
    self.message = message
    self.token = token
    self.bytesLeft = message.bytes
  }

  var isFinished: Bool { hasBegun && bytesLeft == 0 }

  /// Appends the next `count` bytes to `out` under the mask `key`.
  mutating func copyMasked(_ count: Int, key: UInt32, to out: inout ByteBuffer) {
    hasBegun = true
    var position = 0
    while position < count {
      position += withNextBytes(atMost: count - position) { bytes in
        _ = out.writeWithUnsafeMutableBytes(minimumWritableBytes: bytes.count) { target in
          maskedCopy(bytes, to: target, key: key, position: position)
          return bytes.count
        }
      }
    }
  }

  /// Gives `body` the next bytes that lie together, `count` at most; returns how many, which may
  /// be none. Some must be left.
  mutating func withNextBytes(
    atMost count: Int, _ body: (UnsafeRawBufferPointer) -> Void
  ) -> Int {
    hasBegun = true
    let length = min(count, message.byteCount(ofPiece: piece) - offset)
    message.withBytes(ofPiece: piece, from: offset, atMost: length, body)
    offset += length
    bytesLeft -= length
    if offset == message.byteCount(ofPiece: piece) {
      piece += 1
      offset = 0
    }
    return length
  }
}
