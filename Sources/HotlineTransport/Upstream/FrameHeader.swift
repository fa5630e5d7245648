import HotlineWire

/// What a frame is for (RFC 6455, 5.2 and 11.8).
package enum FrameOpcode: UInt8, Hashable, Sendable {
  case continuation = 0x0
  case text = 0x1
  case binary = 0x2
  case close = 0x8
  case ping = 0x9
  case pong = 0xA

  package var isControl: Bool { rawValue & 0x8 != 0 }
}

/// How a server broke RFC 6455 or a limit; each fails the connection.
package enum FrameViolation: String, Error, Hashable, Sendable, CaseIterable {
  case reservedBits = "a frame has a reserved bit set"
  case reservedOpcode = "a frame has a reserved opcode"
  case maskedFrame = "a frame from the server is masked"
  case fragmentedControlFrame = "a control frame is fragmented"
  case longControlFrame = "a control frame has more than 125 bytes"
  case lengthNotMinimal = "a frame's length is not written in the fewest bytes"
  case lengthOutOfRange = "a frame's 64-bit length has its top bit set"
  case continuationOfNothing = "a continuation frame continues no message"
  case messageInsideMessage = "a new message begins inside a fragmented one"
  case closeFrameOfOneByte = "a close frame has one byte"
  case closeCodeInvalid = "a close frame has a code that may not be sent"
  case closeReasonNotUTF8 = "a close frame's reason is not UTF-8"
  case textNotUTF8 = "a text message is not UTF-8"
  case compressedDataInvalid = "a compressed message cannot be decompressed"
  case messageTooLarge = "a message exceeds the limit"

  /// What the close frame says that answers it (RFC 6455, 7.4.1).
  package var closeCode: UInt16 {
    switch self {
    case .closeReasonNotUTF8, .textNotUTF8, .compressedDataInvalid: 1007
    case .messageTooLarge: 1009
    case .reservedBits, .reservedOpcode, .maskedFrame, .fragmentedControlFrame, .longControlFrame,
      .lengthNotMinimal, .lengthOutOfRange, .continuationOfNothing, .messageInsideMessage,
      .closeFrameOfOneByte, .closeCodeInvalid:
      1002
    }
  }
}

/// What a close frame said.
package struct CloseFrame: Hashable, Sendable {
  /// 1005 where the frame had none (RFC 6455, 7.1.5).
  package var code: UInt16
  /// UTF-8, at most 123 bytes.
  package var reason: [UInt8]

  package init(code: UInt16 = 1005, reason: [UInt8] = []) {
    self.code = code
    self.reason = reason
  }

  /// Whether an endpoint may send `code`: RFC 6455, 7.4, and IANA's registry, which has assigned
  /// 1012 to 1014 since.
  package static func mayBeSent(_ code: UInt16) -> Bool {
    switch code {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }

  /// Reads a close frame's payload.
  static func parse(_ payload: UnsafeRawBufferPointer) throws(FrameViolation) -> CloseFrame {
    guard payload.count > 0 else { return CloseFrame() }
    guard payload.count > 1 else { throw .closeFrameOfOneByte }
    let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
    guard mayBeSent(code) else { throw .closeCodeInvalid }
    let reason = UnsafeRawBufferPointer(rebasing: payload[2...])
    guard UTF8Sequence.isValid(reason) else { throw .closeReasonNotUTF8 }
    return CloseFrame(code: code, reason: Array(reason))
  }
}

/// The head of one frame from a server.
struct FrameHeader: Hashable {
  var isFinal: Bool
  var opcode: FrameOpcode
  /// 2, 4 or 10.
  var headerBytes: Int
  var payloadBytes: Int
  /// The message that it begins is compressed: RSV1 (RFC 7692, 6).
  var isDeflated = false

  enum Parsed: Hashable {
    /// The head is not whole; it has this many bytes at least.
    case incomplete(headerBytes: Int)
    case header(FrameHeader)
    case violation(FrameViolation)
  }

  /// Reads the head at the beginning of `bytes`, refusing what breaks RFC 6455, 5.2 and 5.5, at
  /// the first byte that shows it. `allowsDeflated`: compression was agreed on.
  static func parse(_ bytes: UnsafeRawBufferPointer, allowsDeflated: Bool = false) -> Parsed {
    guard bytes.count >= 1 else { return .incomplete(headerBytes: 2) }
    let first = bytes[0]
    let reserved = first & 0x70
    guard reserved == 0 || (allowsDeflated && reserved == 0x40) else {
      return .violation(.reservedBits)
    }
    guard let opcode = FrameOpcode(rawValue: first & 0x0F) else {
      return .violation(.reservedOpcode)
    }
    guard reserved == 0 || opcode == .text || opcode == .binary else {
      return .violation(.reservedBits)
    }
    let isFinal = first & 0x80 != 0
    guard isFinal || !opcode.isControl else { return .violation(.fragmentedControlFrame) }
    guard bytes.count >= 2 else { return .incomplete(headerBytes: 2) }
    guard bytes[1] & 0x80 == 0 else { return .violation(.maskedFrame) }
    let length = Int(bytes[1])
    var header = FrameHeader(
      isFinal: isFinal, opcode: opcode, headerBytes: 2, payloadBytes: length,
      isDeflated: reserved != 0)
    guard length > 125 else { return .header(header) }
    guard !opcode.isControl else { return .violation(.longControlFrame) }
    header.headerBytes = length == 126 ? 4 : 10
    guard bytes.count >= header.headerBytes else {
      return .incomplete(headerBytes: header.headerBytes)
    }
    return header.readingExtendedLength(bytes)
  }

  private consuming func readingExtendedLength(_ bytes: UnsafeRawBufferPointer) -> Parsed {
    if headerBytes == 4 {
      let length = UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
      guard length > 125 else { return .violation(.lengthNotMinimal) }
      payloadBytes = Int(length)
    } else {
      let length = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
      guard length > UInt64(UInt16.max) else { return .violation(.lengthNotMinimal) }
      guard let length = Int(exactly: length) else { return .violation(.lengthOutOfRange) }
      payloadBytes = length
    }
    return .header(self)
  }
}
