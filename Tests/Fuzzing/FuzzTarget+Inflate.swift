internal import HotlineDeflate
import HotlineTransport
import NIOCore

extension FuzzTarget {
  /// Two bytes choose what was agreed, the rest are messages, a byte for the length before each:
  /// compressed ones as a server might send them, or such as are compressed here first.
  func checkInflate(_ input: [UInt8]) throws(BrokenProperty) {
    guard let agreed = Agreed(input) else { return }
    var chance = InputChance(input)
    if agreed.isRoundTrip {
      try checkRoundTrip(agreed, &chance)
    } else {
      try checkInflated(agreed, expected(agreed), &chance)
    }
  }

  /// What an input's first bytes say.
  private struct Agreed {
    var messageBytesMax: Int
    var deflate = DeflateParameters()
    var isText: Bool
    var isRoundTrip: Bool
    var level: Int
    var messages: [[UInt8]] = []

    init?(_ input: [UInt8]) {
      guard input.count > 2 else { return nil }
      messageBytesMax = input[0] < 0x80 ? Int(input[0]) : 1 << 16
      deflate.serverMaxWindowBits = 8 + Int(input[1] & 7)
      deflate.serverNoContextTakeover = input[1] & 8 != 0
      isText = input[1] & 16 != 0
      isRoundTrip = input[1] & 32 != 0
      level = 1 + Int(input[1] >> 6) * 2
      var rest = input.dropFirst(2)
      while let length = rest.popFirst() {
        messages.append(Array(rest.prefix(Int(length))))
        rest = rest.dropFirst(Int(length))
      }
    }

    /// What a server may refer back to; one that agrees to 8 may use 9.
    var windowBytes: Int { 1 << max(9, deflate.serverMaxWindowBits) }
  }

  /// What has to come of the messages.
  private struct Expected {
    var messages: [[UInt8]] = []
    /// After them comes one of these, or nothing if there are none.
    var violations: Set<FrameViolation> = []
    /// From this message on one may be refused, for it refers to what need not be known.
    var firstUncertain = Int.max
  }

  private func expected(_ agreed: Agreed) -> Expected {
    var expected = Expected()
    var reference = ReferenceInflate()
    for (index, message) in agreed.messages.enumerated() {
      if agreed.deflate.serverNoContextTakeover { reference = ReferenceInflate() }
      let bytesBefore = reference.output.count
      var failure: ReferenceInflate.Failure?
      do throws(ReferenceInflate.Failure) {
        try reference.take(message, bytesMax: agreed.messageBytesMax)
      } catch {
        failure = error
      }
      if reference.distanceMax > agreed.windowBytes {
        expected.firstUncertain = min(expected.firstUncertain, index)
      }
      let inflated = Array(reference.output[bytesBefore...])
      let isText = !agreed.isText || String(validating: inflated, as: UTF8.self) != nil
      if failure == nil, isText {
        expected.messages.append(inflated)
        continue
      }
      // What has several faults is refused for any one of them.
      switch failure {
      case nil: expected.violations = []
      case .invalid: expected.violations = [.compressedDataInvalid]
      case .tooLarge: expected.violations = [.messageTooLarge, .compressedDataInvalid]
      }
      if !isText { expected.violations.insert(.textNotUTF8) }
      break
    }
    return expected
  }

  // MARK: What a server sends

  /// In frames and pieces of any size.
  private func checkInflated(
    _ agreed: Agreed, _ expected: Expected, _ chance: inout InputChance
  ) throws(BrokenProperty) {
    let whole = frames(agreed.messages.map { [$0[...]] }, isText: agreed.isText)
    var fragments: [[ArraySlice<UInt8>]] = []
    for message in agreed.messages {
      fragments.append(chance.pieces(message[...], count: 1 + chance.below(4)))
    }
    let fragmented = frames(fragments, isText: agreed.isText)
    for pieces in [
      [whole[...]], whole.indices.map { whole[$0...$0] }, chance.pieces(whole[...], count: 3),
      [fragmented[...]], fragmented.indices.map { fragmented[$0...$0] },
    ] {
      let (messages, violation) = try received(pieces, agreed)
      let isShort =
        messages.count < expected.messages.count
        && (violation == .compressedDataInvalid || violation == .messageTooLarge)
        && messages.count >= expected.firstUncertain
      guard !isShort else {
        try hold(expected.messages.starts(with: messages), "\(messages) of \(expected)")
        continue
      }
      try hold(
        messages == expected.messages, "in \(pieces.count) pieces \(messages), not \(expected)")
      let isExpected =
        violation.map {
          expected.violations.contains($0)
            || ($0 == .compressedDataInvalid && expected.firstUncertain < Int.max)
        } ?? expected.violations.isEmpty
      try hold(isExpected, "\(violation as FrameViolation?), not \(expected)")
    }
  }

  private func received(
    _ pieces: [ArraySlice<UInt8>], _ agreed: Agreed
  ) throws(BrokenProperty) -> ([[UInt8]], FrameViolation?) {
    var decoder = FrameDecoder(
      messageBytesMax: agreed.messageBytesMax, deflate: agreed.deflate)
    var messages: [[UInt8]] = []
    for piece in pieces {
      var input = ByteBuffer(bytes: piece)
      do throws(FrameViolation) {
        while let event = try decoder.next(&input) {
          switch event {
          case .text(let message) where agreed.isText:
            messages.append(Array(message.readableBytesView))
          case .binary(let message) where !agreed.isText:
            messages.append(Array(message.readableBytesView))
          case .text, .binary, .ping, .pong, .close:
            throw FrameViolation.reservedOpcode
          }
        }
      } catch {
        return (messages, error)
      }
      // And the head of a frame.
      let heldMax = agreed.messageBytesMax + 10
      try hold(decoder.bytesHeld <= heldMax, "\(decoder.bytesHeld) bytes are held")
    }
    return (messages, nil)
  }

  /// The messages' fragments as a server's frames.
  private func frames(_ messages: [[ArraySlice<UInt8>]], isText: Bool) -> [UInt8] {
    var bytes: [UInt8] = []
    for message in messages {
      for (index, fragment) in message.enumerated() {
        var first: UInt8 = index > 0 ? 0x00 : isText ? 0x41 : 0x42
        if index == message.count - 1 { first |= 0x80 }
        bytes.append(first)
        if fragment.count <= 125 {
          bytes.append(UInt8(fragment.count))
        } else {
          bytes += [126, UInt8(fragment.count >> 8), UInt8(fragment.count & 0xFF)]
        }
        bytes += fragment
      }
    }
    return bytes
  }

  // MARK: What we send

  /// Deflated with the window agreed on, every message comes back as it was.
  private func checkRoundTrip(
    _ agreed: Agreed, _ chance: inout InputChance
  ) throws(BrokenProperty) {
    let deflater = Deflater(
      windowBits: max(9, agreed.deflate.serverMaxWindowBits), level: agreed.level)
    var agreed = agreed
    agreed.messageBytesMax = 1 << 16
    agreed.isText = false
    // Long enough for the smallest window to slide.
    agreed.messages = agreed.messages.filter { !$0.isEmpty }
    let messages = agreed.messages.map { Array(repeatElement($0, count: 3).joined()) }
    agreed.messages = []
    for message in messages {
      if agreed.deflate.serverNoContextTakeover { deflater.reset() }
      var compressed: [UInt8] = []
      for piece in chance.pieces(message[...], count: 2) {
        compressed += deflated(piece, flush: false, with: deflater, &chance)
      }
      compressed += deflated([], flush: true, with: deflater, &chance)
      try hold(
        compressed.suffix(4) == [0, 0, 0xFF, 0xFF], "a flush ends in \(compressed.suffix(4))")
      agreed.messages.append(compressed.dropLast(4))
    }
    let expected = expected(agreed)
    try hold(expected.messages == messages, "\(messages) became \(expected)")
    try hold(expected.firstUncertain == Int.max, "it refers farther back than was agreed")
    try checkInflated(agreed, expected, &chance)
  }

  private func deflated(
    _ bytes: ArraySlice<UInt8>, flush: Bool, with deflater: Deflater, _ chance: inout InputChance
  ) -> [UInt8] {
    var result: [UInt8] = []
    var output = [UInt8](repeating: 0, count: Deflater.outputBytesMin + chance.below(300))
    bytes.withUnsafeBytes { bytes in
      var rest = bytes
      var isFull = flush
      while isFull || !rest.isEmpty {
        let step = output.withUnsafeMutableBytes { output in
          deflater.deflate(rest, flush: flush, into: output)
        }
        result += output[..<step.produced]
        rest = UnsafeRawBufferPointer(rebasing: rest[step.consumed...])
        isFull = step.produced == output.count
      }
    }
    return result
  }
}
