import NIOCore

/// Finds a server's messages in the decrypted stream, in place.
///
/// A frame that lies whole in the input is handed out as a slice of the input: no byte is copied,
/// nothing is allocated. Only a frame that the input cuts is completed in a buffer of the decoder's
/// own, and only fragments are put together. Pure value; daemon loop. RFC 6455, section 5.
package struct FrameDecoder {
  /// One whole message or control frame.
  package enum Event: Equatable {
    /// Its UTF-8 is not checked: whoever takes it on checks it.
    case text(ByteBuffer)
    case binary(ByteBuffer)
    case ping(ByteBuffer)
    case pong(ByteBuffer)
    /// Nothing that follows it counts (RFC 6455, 5.5.1).
    case close(CloseFrame)
  }

  private enum Assembly {
    /// Between messages. Next: `.collecting` on a first fragment.
    case none
    /// Inside a fragmented message. Next: `.none` on its last fragment.
    case collecting(isBinary: Bool)
  }

  /// Bytes of one message, over all its fragments.
  private let messageBytesMax: Int
  private var assembly = Assembly.none
  private var fragments = ByteBuffer()
  /// The beginning of a frame that the input has cut.
  private var partial = ByteBuffer()
  /// The last frame handed out was a slice of `partial`.
  private var isPartialSpent = false

  /// Capacity of `partial` that is kept for the next frame; beyond it memory is given back.
  private static let partialBytesKept = 64 << 10

  package init(messageBytesMax: Int) {
    self.messageBytesMax = messageBytesMax
  }

  /// The bytes that wait for the rest of their frame or message.
  package var bytesHeld: Int { partial.readableBytes + fragments.readableBytes }

  /// The next event, or `nil` when all of `input` has been consumed.
  ///
  /// A slice that was handed out should be let go of before the next call: a slice that is kept
  /// costs a copy.
  /// - Throws: ``FrameViolation``; then the connection must be failed and the decoder not used on.
  package mutating func next(_ input: inout ByteBuffer) throws(FrameViolation) -> Event? {
    while let (header, payload) = try nextFrame(&input) {
      if let event = try accept(header, payload) { return event }
    }
    return nil
  }

  // MARK: Frames

  private mutating func nextFrame(
    _ input: inout ByteBuffer
  ) throws(FrameViolation) -> (FrameHeader, ByteBuffer)? {
    releaseSpentPartial()
    guard partial.readableBytes == 0 else { return try completePartial(&input) }
    guard input.readableBytes > 0 else { return nil }
    if case .header(let header) = try parseHeader(input),
      input.readableBytes - header.headerBytes >= header.payloadBytes
    {
      input.moveReaderIndex(forwardBy: header.headerBytes)
      guard let payload = input.readSlice(length: header.payloadBytes) else { return nil }
      return (header, payload)
    }
    partial.writeBuffer(&input)
    return nil
  }

  /// Moves no more than the missing bytes of one frame from the input, so that the frames behind
  /// it are again read in place.
  private mutating func completePartial(
    _ input: inout ByteBuffer
  ) throws(FrameViolation) -> (FrameHeader, ByteBuffer)? {
    while true {
      switch try parseHeader(partial) {
      case .incomplete(let headerBytes):
        guard fillPartial(to: headerBytes, from: &input) else { return nil }
      case .header(let header):
        // Cannot overflow: the payload is within messageBytesMax or 125.
        let frameBytes = header.headerBytes + header.payloadBytes
        guard fillPartial(to: frameBytes, from: &input) else { return nil }
        partial.moveReaderIndex(forwardBy: header.headerBytes)
        guard let payload = partial.readSlice(length: header.payloadBytes) else { return nil }
        isPartialSpent = true
        return (header, payload)
      case .violation(let violation):
        throw violation
      }
    }
  }

  private mutating func fillPartial(to count: Int, from input: inout ByteBuffer) -> Bool {
    let missing = count - partial.readableBytes
    if missing > 0, var part = input.readSlice(length: min(missing, input.readableBytes)) {
      partial.writeBuffer(&part)
    }
    return partial.readableBytes >= count
  }

  private mutating func releaseSpentPartial() {
    guard isPartialSpent else { return }
    isPartialSpent = false
    if partial.capacity > Self.partialBytesKept {
      partial = ByteBuffer()
    } else {
      partial.clear()
    }
  }

  /// Reads and judges the head at the reader index as soon as it is there.
  private func parseHeader(_ buffer: ByteBuffer) throws(FrameViolation) -> FrameHeader.Parsed {
    let parsed = buffer.withUnsafeReadableBytes { FrameHeader.parse($0) }
    switch parsed {
    case .incomplete: break
    case .violation(let violation): throw violation
    case .header(let header): try checkSequence(header)
    }
    return parsed
  }

  /// RFC 6455, 5.4: which frame may follow which, and how much one message may hold.
  private func checkSequence(_ header: FrameHeader) throws(FrameViolation) {
    guard !header.opcode.isControl else { return }
    switch (assembly, header.opcode) {
    case (.none, .continuation): throw .continuationOfNothing
    case (.collecting, .text), (.collecting, .binary): throw .messageInsideMessage
    default: break
    }
    guard header.payloadBytes <= messageBytesMax - fragments.readableBytes else {
      throw .messageTooLarge
    }
  }

  // MARK: Messages

  private mutating func accept(
    _ header: FrameHeader, _ payload: ByteBuffer
  ) throws(FrameViolation) -> Event? {
    switch header.opcode {
    case .text where header.isFinal: return .text(payload)
    case .binary where header.isFinal: return .binary(payload)
    case .text, .binary:
      assembly = .collecting(isBinary: header.opcode == .binary)
      fragments.writeImmutableBuffer(payload)
      return nil
    case .continuation:
      fragments.writeImmutableBuffer(payload)
      return header.isFinal ? assembled() : nil
    case .ping: return .ping(payload)
    case .pong: return .pong(payload)
    case .close:
      let parsed = payload.withUnsafeReadableBytes { bytes in
        Result { () throws(FrameViolation) in try CloseFrame.parse(bytes) }
      }
      return .close(try parsed.get())
    }
  }

  private mutating func assembled() -> Event? {
    guard case .collecting(let isBinary) = assembly else { return nil }
    let message = fragments
    fragments = ByteBuffer()
    assembly = .none
    return isBinary ? .binary(message) : .text(message)
  }
}
