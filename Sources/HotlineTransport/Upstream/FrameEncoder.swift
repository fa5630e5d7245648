import NIOCore

/// Writes a client's frames: each under a fresh masking key, copied and masked in one pass.
///
/// Pure but for its source of keys; daemon loop. RFC 6455, 5.2 and 5.3.
package struct FrameEncoder {
  /// Payload of one frame. A longer message is sent in fragments, so that a pong finds a gap: at
  /// 1 MB/s one frame holds it up for 32 ms.
  package static let fragmentBytes = 32 << 10
  /// Longest head of a client's frame.
  static let headerBytesMax = 14

  private var keys: MaskingKeys

  package init(keys: MaskingKeys = MaskingKeys()) {
    self.keys = keys
  }

  /// Sixteen fresh bytes for the upgrade.
  mutating func nonce() -> [UInt8] { keys.nonce() }

  /// Appends a control frame; of `payload` 125 bytes at most.
  package mutating func appendControl(
    _ opcode: FrameOpcode, _ payload: ByteBuffer, to out: inout ByteBuffer
  ) {
    precondition(opcode.isControl && payload.readableBytes <= 125)
    var cursor = MessageCursor(OutboundMessage(payload), token: 0)
    appendFrame(0x80 | opcode.rawValue, &cursor, payload.readableBytes, to: &out)
  }

  /// Appends a close frame. `reason` is cut to the 123 bytes that fit, at a character's boundary;
  /// a code that may not be sent (1005: none was received) makes an empty frame.
  package mutating func appendClose(code: UInt16, reason: String, to out: inout ByteBuffer) {
    var payload = ByteBuffer()
    if CloseFrame.mayBeSent(code) {
      payload.writeInteger(code)
      for scalar in reason.unicodeScalars {
        let bytes = UTF8.encode(scalar)
        guard let bytes, payload.readableBytes + bytes.count <= 125 else { break }
        payload.writeBytes(bytes)
      }
    }
    appendControl(.close, payload, to: &out)
  }

  /// Appends the next frame of a message: all of it, or the next fragment.
  mutating func appendNextFrame(of cursor: inout MessageCursor, to out: inout ByteBuffer) {
    let count = min(cursor.bytesLeft, Self.fragmentBytes)
    let opcode: FrameOpcode = cursor.hasBegun ? .continuation : .text
    let final: UInt8 = count == cursor.bytesLeft ? 0x80 : 0
    appendFrame(final | opcode.rawValue, &cursor, count, to: &out)
  }

  /// Appends the next frame of a compressed message.
  mutating func appendDeflated(
    _ payload: ByteBuffer, isFirst: Bool, isFinal: Bool, to out: inout ByteBuffer
  ) {
    // RSV1 stands on the first frame alone (RFC 7692, 6.1).
    let first = isFirst ? 0x40 | FrameOpcode.text.rawValue : FrameOpcode.continuation.rawValue
    var cursor = MessageCursor(OutboundMessage(payload), token: 0)
    appendFrame(isFinal ? 0x80 | first : first, &cursor, payload.readableBytes, to: &out)
  }

  private mutating func appendFrame(
    _ firstByte: UInt8, _ cursor: inout MessageCursor, _ count: Int, to out: inout ByteBuffer
  ) {
    out.writeInteger(firstByte)
    switch count {
    case ...125: out.writeInteger(0x80 | UInt8(count))
    case ...Int(UInt16.max):
      out.writeInteger(UInt8(0x80 | 126))
      out.writeInteger(UInt16(count))
    default:
      out.writeInteger(UInt8(0x80 | 127))
      out.writeInteger(UInt64(count))
    }
    let key = keys.next()
    out.writeInteger(key, endianness: .little)
    cursor.copyMasked(count, key: key, to: &out)
  }
}
