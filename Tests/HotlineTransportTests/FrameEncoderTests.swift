import HotlineWire
import NIOCore
import NIOWebSocket
import Testing

@testable import HotlineTransport

struct FrameEncoderTests {
  private func encoder(seed: UInt64) -> FrameEncoder {
    FrameEncoder(keys: MaskingKeys(random: SeededRandom(seed: seed)))
  }

  private func frames(_ message: OutboundMessage, seed: UInt64) throws -> [WebSocketFrame] {
    var encoder = encoder(seed: seed)
    var cursor = MessageCursor(message, token: 1)
    var out = ByteBuffer()
    repeat { encoder.appendNextFrame(of: &cursor, to: &out) } while !cursor.isFinished
    return try OracleDecoder().frames(out)
  }

  @Test(arguments: [0, 1, 124, 125, 126, 127, 32_767, 32_768, 32_769, 65_536, 65_537, 200_000])
  func anotherDecoderReadsMessagesOfEachSize(_ count: Int) throws {
    let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let frames = try frames(OutboundMessage(ByteBuffer(bytes: payload)), seed: UInt64(count))
    #expect(frames.map(\.unmaskedData.readableBytes).reduce(0, +) == count)
    #expect(frames.flatMap { Array($0.unmaskedData.readableBytesView) } == payload)
    #expect(frames.map(\.fin) == Array(repeating: false, count: frames.count - 1) + [true])
    #expect(frames.first?.opcode == .text)
    #expect(frames.dropFirst().allSatisfy { $0.opcode == .continuation })
    #expect(frames.allSatisfy { $0.maskKey != nil })
    #expect(frames.count == max(1, (count + 32_767) / 32_768))
  }

  @Test(arguments: 1...60 as ClosedRange<UInt64>)
  func piecesAreSentAsOneMessage(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var line = ByteBuffer(bytes: (0..<5000).map { _ in UInt8.random(in: 0...255, using: &random) })
    line.moveReaderIndex(forwardBy: 17)
    let bytes = Array(line.readableBytesView)
    var pieces: [BodyPiece] = []
    var expected: [UInt8] = []
    for _ in 0..<Int.random(in: 0...30, using: &random) {
      if Bool.random(using: &random) {
        let start = Int.random(in: 0...bytes.count, using: &random)
        let end = Int.random(in: start...bytes.count, using: &random)
        pieces.append(.line(start..<end))
        expected += bytes[start..<end]
      } else {
        let literal = [UInt8](repeating: 7, count: Int.random(in: 0...9, using: &random))
        pieces.append(.literal(literal))
        expected += literal
      }
    }
    let message = OutboundMessage(line: line, pieces: pieces)
    #expect(message.bytes == expected.count)
    let frames = try frames(message, seed: seed)
    #expect(frames.flatMap { Array($0.unmaskedData.readableBytesView) } == expected)
  }

  @Test func maskedCopyTurnsTheKeyToThePosition() {
    let key: UInt32 = 0x4433_2211
    let keyBytes: [UInt8] = [0x11, 0x22, 0x33, 0x44]
    for position in 0..<8 {
      for count in 0..<40 {
        let source = (0..<count).map { UInt8($0) }
        var target = [UInt8](repeating: 0, count: count)
        source.withUnsafeBytes { source in
          target.withUnsafeMutableBytes {
            maskedCopy(source, to: $0, key: key, position: position)
          }
        }
        #expect(target == source.indices.map { source[$0] ^ keyBytes[($0 + position) & 3] })
      }
    }
  }

  @Test func everyFrameHasAKeyOfItsOwn() throws {
    var encoder = FrameEncoder()
    var out = ByteBuffer()
    for _ in 0..<64 { encoder.appendControl(.ping, ByteBuffer(), to: &out) }
    let keys = try OracleDecoder().frames(out).compactMap { $0.maskKey.map { Array($0) } }
    #expect(Set(keys).count > 60)
  }

  @Test func keysComeFromTheSourceInOrder() {
    var keys = MaskingKeys(random: SeededRandom(seed: 5))
    var random = SeededRandom(seed: 5)
    let word = random.next()
    #expect(keys.next() == UInt32(truncatingIfNeeded: word))
    #expect(keys.next() == UInt32(word >> 32))
    #expect(keys.next() == UInt32(truncatingIfNeeded: random.next()))
  }

  @Test func closeReasonIsCutAtACharacter() throws {
    var encoder = encoder(seed: 1)
    var out = ByteBuffer()
    encoder.appendClose(code: 1001, reason: "x" + String(repeating: "é", count: 100), to: &out)
    let frame = try #require(try OracleDecoder().frames(out).first)
    var payload = frame.unmaskedData
    #expect(frame.opcode == .connectionClose)
    #expect(payload.readInteger(as: UInt16.self) == 1001)
    #expect(String(buffer: payload) == "x" + String(repeating: "é", count: 61))
  }

  @Test func closeWithACodeThatMayNotBeSentIsEmpty() throws {
    var encoder = encoder(seed: 1)
    var out = ByteBuffer()
    encoder.appendClose(code: 1005, reason: "never", to: &out)
    #expect(try OracleDecoder().frames(out).first?.unmaskedData.readableBytes == 0)
  }
}
