import HotlineDeflate
import HotlineWire
import NIOCore

/// Finds a server's messages in the decrypted stream, in place.
///
/// A frame that lies whole in the input is handed out as a slice of the input: no byte is copied,
/// nothing is allocated. Only a frame that the input cuts is completed in a buffer of the decoder's
/// own, and only fragments are put together; compressed ones are inflated into the message as they
/// come. Pure value but for the inflater; daemon loop. RFC 6455, section 5; RFC 7692, section 6.
package struct FrameDecoder {
  /// One whole message or control frame.
  package enum Event: Equatable {
    /// Is UTF-8.
    case text(ByteBuffer)
    case binary(ByteBuffer)
    case ping(ByteBuffer)
    case pong(ByteBuffer)
    /// Nothing that follows it counts (RFC 6455, 5.5.1).
    case close(CloseFrame)
  }

  private enum Assembly {
    /// Between messages. Next: `.collecting` on a first fragment or a compressed frame.
    case none
    /// Inside a message. Next: `.none` on its last fragment.
    case collecting(isBinary: Bool, isDeflated: Bool)
  }

  /// A compressed frame of which the head has been read.
  private struct DeflatedFrame {
    var bytesLeft: Int
    let isFinal: Bool
  }

  /// Bytes of one message, over all its fragments, inflated.
  private let messageBytesMax: Int
  private let inflater: MessageInflater?
  private var assembly = Assembly.none
  private var fragments = ByteBuffer()
  /// The last message handed out was a slice of `fragments`.
  private var isFragmentsSpent = false
  private var deflatedFrame: DeflatedFrame?
  /// The beginning of a frame that the input has cut.
  private var partial = ByteBuffer()
  /// The last frame handed out was a slice of `partial`.
  private var isPartialSpent = false
  /// What has been seen of the current text message, unless all of it came at once.
  private var utf8 = UTF8Validator()
  /// Payload bytes in `partial` that `utf8` has seen.
  private var partialTextBytesSeen = 0

  /// Capacity of a buffer that is kept for the next frame; beyond it memory is given back.
  private static let bufferBytesKept = 64 << 10

  package init(messageBytesMax: Int) {
    self.init(messageBytesMax: messageBytesMax, inflater: nil)
  }

  /// For a server that may compress its messages as agreed.
  package init(messageBytesMax: Int, deflate parameters: DeflateParameters) {
    self.init(
      messageBytesMax: messageBytesMax,
      inflater: MessageInflater(parameters, memory: ZlibMemory()))
  }

  /// With an inflater messages may be compressed.
  init(messageBytesMax: Int, inflater: MessageInflater?) {
    self.messageBytesMax = messageBytesMax
    self.inflater = inflater
  }

  /// The bytes that wait for the rest of their frame or message.
  package var bytesHeld: Int { partial.readableBytes + fragments.readableBytes }

  /// The next event, or `nil` when all of `input` has been consumed.
  ///
  /// A slice that was handed out should be let go of before the next call: a slice that is kept
  /// costs a copy.
  /// - Throws: ``FrameViolation``; then the connection must be failed and the decoder not used on.
  package mutating func next(_ input: inout ByteBuffer) throws(FrameViolation) -> Event? {
    Self.release(&fragments, ifSpent: &isFragmentsSpent)
    while true {
      if deflatedFrame != nil {
        guard let isFinal = try inflateFrame(&input) else { return nil }
        if isFinal { return try inflated() }
      }
      if let (header, payload) = try nextFrame(&input) {
        if let event = try accept(header, payload) { return event }
      } else if deflatedFrame == nil {
        return nil
      }
    }
  }

  // MARK: Frames

  /// `nil` when the input has been consumed, or the head of a compressed frame has been read.
  private mutating func nextFrame(
    _ input: inout ByteBuffer
  ) throws(FrameViolation) -> (FrameHeader, ByteBuffer)? {
    Self.release(&partial, ifSpent: &isPartialSpent)
    guard partial.readableBytes == 0 else { return try completePartial(&input) }
    guard input.readableBytes > 0 else { return nil }
    guard case .header(let header) = try parseHeader(input) else {
      partial.writeBuffer(&input)
      return nil
    }
    guard !isDeflated(header) else {
      input.moveReaderIndex(forwardBy: header.headerBytes)
      begin(header)
      return nil
    }
    guard input.readableBytes - header.headerBytes >= header.payloadBytes else {
      partial.writeBuffer(&input)
      try checkPartialText(header)
      return nil
    }
    input.moveReaderIndex(forwardBy: header.headerBytes)
    guard let payload = input.readSlice(length: header.payloadBytes) else { return nil }
    return (header, payload)
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
      case .header(let header) where isDeflated(header):
        // A head alone is waited for, so nothing follows it here.
        partial.clear()
        begin(header)
        return nil
      case .header(let header):
        // Cannot overflow: the payload is within messageBytesMax or 125.
        let frameBytes = header.headerBytes + header.payloadBytes
        guard fillPartial(to: frameBytes, from: &input) else {
          try checkPartialText(header)
          return nil
        }
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

  private static func release(_ buffer: inout ByteBuffer, ifSpent isSpent: inout Bool) {
    guard isSpent else { return }
    isSpent = false
    if buffer.capacity > bufferBytesKept { buffer = ByteBuffer() } else { buffer.clear() }
  }

  /// Reads and judges the head at the reader index as soon as it is there.
  private func parseHeader(_ buffer: ByteBuffer) throws(FrameViolation) -> FrameHeader.Parsed {
    let parsed = buffer.withUnsafeReadableBytes {
      FrameHeader.parse($0, allowsDeflated: inflater != nil)
    }
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
    // Of a compressed frame counts what comes out of it.
    guard
      isDeflated(header) || header.payloadBytes <= messageBytesMax - fragments.readableBytes
    else { throw .messageTooLarge }
  }

  // MARK: Messages

  private mutating func accept(
    _ header: FrameHeader, _ payload: ByteBuffer
  ) throws(FrameViolation) -> Event? {
    switch header.opcode {
    case .text, .binary, .continuation: return try acceptData(header, payload)
    case .ping: return .ping(payload)
    case .pong: return .pong(payload)
    case .close:
      let parsed = payload.withUnsafeReadableBytes { bytes in
        Result { () throws(FrameViolation) in try CloseFrame.parse(bytes) }
      }
      return .close(try parsed.get())
    }
  }

  private mutating func acceptData(
    _ header: FrameHeader, _ payload: ByteBuffer
  ) throws(FrameViolation) -> Event? {
    let isText = isText(header)
    if isText { try checkText(payload, isFinal: header.isFinal) }
    if header.opcode != .continuation {
      guard !header.isFinal else { return isText ? .text(payload) : .binary(payload) }
      assembly = .collecting(isBinary: !isText, isDeflated: false)
    }
    fragments.writeImmutableBuffer(payload)
    return header.isFinal ? assembled() : nil
  }

  private mutating func assembled() -> Event? {
    guard case .collecting(let isBinary, _) = assembly,
      let message = fragments.readSlice(length: fragments.readableBytes)
    else { return nil }
    isFragmentsSpent = true
    assembly = .none
    return isBinary ? .binary(message) : .text(message)
  }

  // MARK: UTF-8

  private func isText(_ header: FrameHeader) -> Bool {
    switch (header.opcode, assembly) {
    case (.text, _), (.continuation, .collecting(isBinary: false, _)): true
    default: false
    }
  }

  /// The payload of a whole frame, and with `isFinal` the end of the message.
  private mutating func checkText(
    _ payload: ByteBuffer, isFinal: Bool
  ) throws(FrameViolation) {
    let seen = partialTextBytesSeen
    partialTextBytesSeen = 0
    let isValid = payload.withUnsafeReadableBytes { bytes in
      if seen == 0, isFinal, utf8.isAtBoundary { return UTF8Sequence.isValid(bytes) }
      return utf8.append(UnsafeRawBufferPointer(rebasing: bytes[seen...]))
        && (!isFinal || utf8.isAtBoundary)
    }
    guard isValid else { throw .textNotUTF8 }
  }

  /// The beginning of a frame that has been cut: what is wrong already is not waited on.
  private mutating func checkPartialText(_ header: FrameHeader) throws(FrameViolation) {
    guard isText(header) else { return }
    let seen = partialTextBytesSeen
    partialTextBytesSeen = partial.readableBytes - header.headerBytes
    let isValid = partial.withUnsafeReadableBytes { bytes in
      utf8.append(UnsafeRawBufferPointer(rebasing: bytes[(header.headerBytes + seen)...]))
    }
    guard isValid else { throw .textNotUTF8 }
  }

  // MARK: Compression

  private func isDeflated(_ header: FrameHeader) -> Bool {
    if header.isDeflated { return true }
    guard header.opcode == .continuation, case .collecting(_, isDeflated: true) = assembly else {
      return false
    }
    return true
  }

  private mutating func begin(_ header: FrameHeader) {
    deflatedFrame = DeflatedFrame(bytesLeft: header.payloadBytes, isFinal: header.isFinal)
    if header.opcode != .continuation {
      assembly = .collecting(isBinary: header.opcode == .binary, isDeflated: true)
    }
  }

  /// Inflates what there is of the frame; `nil` if that is not all, else whether it is final.
  private mutating func inflateFrame(_ input: inout ByteBuffer) throws(FrameViolation) -> Bool? {
    guard var frame = deflatedFrame, let inflater else { return nil }
    if let piece = input.readSlice(length: min(frame.bytesLeft, input.readableBytes)) {
      let bytesBefore = fragments.readableBytes
      let result = piece.withUnsafeReadableBytes { bytes in
        Result { () throws(FrameViolation) in
          try inflater.append(bytes, to: &fragments, bytesMax: messageBytesMax)
        }
      }
      try result.get()
      try checkInflatedText(from: bytesBefore)
      frame.bytesLeft -= piece.readableBytes
    }
    deflatedFrame = frame.bytesLeft == 0 ? nil : frame
    return frame.bytesLeft == 0 ? frame.isFinal : nil
  }

  private mutating func inflated() throws(FrameViolation) -> Event? {
    let bytesBefore = fragments.readableBytes
    try inflater?.finish(&fragments, bytesMax: messageBytesMax)
    try checkInflatedText(from: bytesBefore)
    guard utf8.isAtBoundary else { throw .textNotUTF8 }
    return assembled()
  }

  private mutating func checkInflatedText(from offset: Int) throws(FrameViolation) {
    guard case .collecting(isBinary: false, _) = assembly else { return }
    let isValid = fragments.withUnsafeReadableBytes { bytes in
      utf8.append(UnsafeRawBufferPointer(rebasing: bytes[offset...]))
    }
    guard isValid else { throw .textNotUTF8 }
  }
}
