import NIOCore
import NIOWebSocket
import Testing

@testable import HotlineTransport

struct FrameDecoderTests {
  /// Random messages and control frames, and what must come of them.
  private func randomStream(
    seed: UInt64, messages: Int, payloadBytesMax: Int
  ) throws -> (ByteBuffer, [FrameDecoder.Event]) {
    var random = SeededRandom(seed: seed)
    var frames: [WebSocketFrame] = []
    var events: [FrameDecoder.Event] = []
    func bytes(atMost max: Int) -> [UInt8] {
      (0..<Int.random(in: 0...max, using: &random)).map { _ in
        UInt8.random(in: 0x20...0x7E, using: &random)
      }
    }
    func maybeControl() {
      guard Int.random(in: 0..<3, using: &random) == 0 else { return }
      let payload = bytes(atMost: 125)
      let isPing = Bool.random(using: &random)
      frames.append(frame(isPing ? .ping : .pong, payload))
      let buffer = ByteBuffer(bytes: payload)
      events.append(isPing ? .ping(buffer) : .pong(buffer))
    }
    for _ in 0..<messages {
      let isBinary = Bool.random(using: &random)
      let fragments = (0..<Int.random(in: 1...4, using: &random)).map { _ in
        bytes(atMost: payloadBytesMax)
      }
      for (index, fragment) in fragments.enumerated() {
        maybeControl()
        let opcode: WebSocketOpcode = index > 0 ? .continuation : isBinary ? .binary : .text
        frames.append(frame(opcode, fragment, isFinal: index == fragments.count - 1))
      }
      let message = ByteBuffer(bytes: fragments.joined())
      events.append(isBinary ? .binary(message) : .text(message))
    }
    frames.append(frame(.connectionClose, [0x03, 0xE8] + Array("bye".utf8)))
    events.append(.close(CloseFrame(code: 1000, reason: Array("bye".utf8))))
    return (try oracleEncoded(frames), events)
  }

  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func framesOfAnotherEncoderCutAtEveryByteGiveTheSameMessages(seed: UInt64) throws {
    let (stream, expected) = try randomStream(seed: seed, messages: 4, payloadBytesMax: 140)
    for cut in 0...stream.readableBytes {
      var decoder = FrameDecoder(messageBytesMax: 1 << 20)
      #expect(try decoder.events(stream, cutAt: [cut]) == expected, "cut at \(cut)")
    }
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func framesInPiecesOfAnySizeGiveTheSameMessages(seed: UInt64) throws {
    let (stream, expected) = try randomStream(seed: seed, messages: 6, payloadBytesMax: 70_000)
    var random = SeededRandom(seed: seed)
    for largest in [1, 7, 1000, 16_384] where largest > 1 || seed == 1 {
      var cuts = [0]
      while let last = cuts.last, last < stream.readableBytes {
        cuts.append(
          min(last + Int.random(in: 1...largest, using: &random), stream.readableBytes))
      }
      var decoder = FrameDecoder(messageBytesMax: 1 << 20)
      #expect(try decoder.events(stream, cutAt: cuts) == expected, "pieces of \(largest)")
      #expect(decoder.bytesHeld == 0)
    }
  }

  @Test func wholeFrameIsHandedOutWithoutACopy() throws {
    var input = try oracleEncoded([frame(.text, Array(repeating: 0x61, count: 1000))])
    let place = input.withUnsafeReadableBytes { $0.baseAddress }
    var decoder = FrameDecoder(messageBytesMax: 1 << 20)
    guard case .text(let payload)? = try decoder.next(&input) else {
      Issue.record("no text")
      return
    }
    #expect(payload.withUnsafeReadableBytes { $0.baseAddress } == place.map { $0 + 4 })
  }

  static let violations: [(String, ByteBuffer, FrameViolation)] = [
    ("RSV1", rawFrame(0xC1, 0x00), .reservedBits),
    ("RSV2", rawFrame(0xA1, 0x00), .reservedBits),
    ("RSV3", rawFrame(0x91, 0x00), .reservedBits),
    ("opcode 3", rawFrame(0x83, 0x00), .reservedOpcode),
    ("opcode 7", rawFrame(0x87, 0x00), .reservedOpcode),
    ("opcode 11", rawFrame(0x8B, 0x00), .reservedOpcode),
    ("opcode 15", rawFrame(0x8F, 0x00), .reservedOpcode),
    ("masked", rawFrame(0x81, 0x80, 1, 2, 3, 4), .maskedFrame),
    ("fragmented ping", rawFrame(0x09, 0x00), .fragmentedControlFrame),
    ("fragmented close", rawFrame(0x08, 0x00), .fragmentedControlFrame),
    ("ping of 126", rawFrame(0x89, 126, 0, 126), .longControlFrame),
    ("pong of 2^16", rawFrame(0x8A, 127), .longControlFrame),
    ("125 in 16 bits", rawFrame(0x81, 126, 0, 125), .lengthNotMinimal),
    ("0 in 16 bits", rawFrame(0x81, 126, 0, 0), .lengthNotMinimal),
    ("65535 in 64 bits", rawFrame(0x81, 127, 0, 0, 0, 0, 0, 0, 255, 255), .lengthNotMinimal),
    ("top bit", rawFrame(0x81, 127, 128, 0, 0, 0, 0, 0, 0, 0), .lengthOutOfRange),
    ("all bits", rawFrame(0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255), .lengthOutOfRange),
    ("largest", rawFrame(0x82, 127, 127, 255, 255, 255, 255, 255, 255, 255), .messageTooLarge),
    ("continuation first", rawFrame(0x80, 0x00), .continuationOfNothing),
    ("text in text", rawFrame(0x01, 0x00, 0x81, 0x00), .messageInsideMessage),
    ("binary in text", rawFrame(0x01, 0x00, 0x02, 0x00), .messageInsideMessage),
    ("continuation after the end", rawFrame(0x01, 0, 0x80, 0, 0x80, 0), .continuationOfNothing),
    ("close of 1", rawFrame(0x88, 0x01, 0x03), .closeFrameOfOneByte),
    ("close reason", rawFrame(0x88, 0x03, 0x03, 0xE8, 0xFF), .closeReasonNotUTF8),
  ]

  @Test(arguments: violations)
  func violationIsRefusedWhereverItIsCut(
    _ name: String, _ bytes: ByteBuffer, _ violation: FrameViolation
  ) {
    for cut in 0...bytes.readableBytes {
      var decoder = FrameDecoder(messageBytesMax: 1000)
      #expect(throws: violation) { try decoder.events(bytes, cutAt: [cut]) }
    }
  }

  @Test func closeCodesAreThoseThatMayBeSent() {
    let allowed = Set(Array(1000...1003) + Array(1007...1014) + Array(3000...4999))
    for code in UInt16.min...UInt16.max {
      #expect(CloseFrame.mayBeSent(code) == allowed.contains(Int(code)))
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] as [UInt16] {
      var decoder = FrameDecoder(messageBytesMax: 1000)
      let high = UInt8(code >> 8)
      let low = UInt8(code & 255)
      #expect(throws: FrameViolation.closeCodeInvalid) {
        try decoder.events(rawFrame(0x88, 2, high, low))
      }
    }
  }

  @Test func closeFrameWithoutACodeMeans1005() throws {
    var decoder = FrameDecoder(messageBytesMax: 1000)
    #expect(try decoder.events(rawFrame(0x88, 0)) == [.close(CloseFrame(code: 1005))])
  }

  @Test func messageMayHaveTheLimitAndNoByteMore() throws {
    let exact = try oracleEncoded([frame(.text, Array(repeating: 0x61, count: 1000))])
    var decoder = FrameDecoder(messageBytesMax: 1000)
    #expect(try decoder.events(exact).count == 1)
    let over = try oracleEncoded([frame(.text, Array(repeating: 0x61, count: 1001))])
    #expect(throws: FrameViolation.messageTooLarge) { try decoder.events(over) }
  }

  @Test func limitCountsAllFragmentsTogetherAndEachMessageAnew() throws {
    let half = Array(repeating: UInt8(0x61), count: 500)
    var decoder = FrameDecoder(messageBytesMax: 1000)
    let exact = try oracleEncoded([
      frame(.text, half, isFinal: false), frame(.continuation, half),
    ])
    #expect(try decoder.events(exact).count == 1)
    #expect(try decoder.events(exact).count == 1)
    let over = try oracleEncoded([
      frame(.text, half, isFinal: false), frame(.continuation, half + [0x61]),
    ])
    #expect(throws: FrameViolation.messageTooLarge) { try decoder.events(over) }
  }

  @Test func tooLargeMessageIsRefusedAtItsHead() {
    var decoder = FrameDecoder(messageBytesMax: 1000)
    #expect(throws: FrameViolation.messageTooLarge) {
      try decoder.events(rawFrame(0x81, 126, 0x03, 0xE9))
    }
  }

  @Test(arguments: 1...200 as ClosedRange<UInt64>)
  func noiseNeverCrashesAndPiecesChangeNothing(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var bytes = ByteBuffer()
    for _ in 0..<Int.random(in: 1...60, using: &random) {
      bytes.writeInteger(UInt8([0, 1, 2, 8, 9, 10].randomElement(using: &random) ?? 0) | 0x80)
      let length = UInt8.random(in: 0...127, using: &random)
      bytes.writeInteger(length)
      for _ in 0..<Int.random(in: 0...130, using: &random) { bytes.writeInteger(UInt8(0x61)) }
    }
    func outcome(_ cuts: [Int]) -> Result<[FrameDecoder.Event], FrameViolation> {
      var decoder = FrameDecoder(messageBytesMax: 1000)
      return Result { () throws(FrameViolation) in try decoder.events(bytes, cutAt: cuts) }
    }
    #expect(outcome([]) == outcome(Array(0..<bytes.readableBytes)))
  }
}
