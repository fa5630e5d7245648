import TestSupport
import Testing

@testable import HotlineDeflate

struct DeflateTests {
  private func deflated(
    _ bytes: [UInt8], with deflater: Deflater, outputBytes: Int = 1000
  ) -> [UInt8] {
    var result: [UInt8] = []
    var output = [UInt8](repeating: 0, count: outputBytes)
    bytes.withUnsafeBytes { bytes in
      var rest = bytes
      var isFull = true
      while isFull {
        let step = output.withUnsafeMutableBytes {
          deflater.deflate(rest, flush: true, into: $0)
        }
        result += output[..<step.produced]
        rest = UnsafeRawBufferPointer(rebasing: rest[step.consumed...])
        isFull = step.produced == output.count
      }
    }
    return result
  }

  private func inflated(
    _ bytes: [UInt8], with inflater: Inflater, outputBytes: Int = 1000
  ) throws -> [UInt8] {
    var result: [UInt8] = []
    var output = [UInt8](repeating: 0, count: outputBytes)
    try bytes.withUnsafeBytes { bytes in
      var rest = bytes
      var isFull = true
      while isFull {
        let step = try output.withUnsafeMutableBytes { try inflater.inflate(rest, into: $0) }
        result += output[..<step.produced]
        rest = UnsafeRawBufferPointer(rebasing: rest[step.consumed...])
        isFull = step.produced == output.count
      }
      #expect(rest.isEmpty)
    }
    return result
  }

  private func text(_ count: Int, seed: UInt64) -> [UInt8] {
    var random = SplitMix64(seed: seed)
    let words = ["delta", "response", "the", "a", "of", "type", "\"", ":", "é", "\n"]
    var bytes: [UInt8] = []
    while bytes.count < count {
      bytes += Array((words.randomElement(using: &random) ?? "").utf8)
    }
    return Array(bytes.prefix(count))
  }

  @Test(arguments: 9...15)
  func messagesComeBackAsTheyWere(windowBits: Int) throws {
    let deflater = Deflater(windowBits: windowBits, level: 1)
    let inflater = Inflater(windowBits: windowBits)
    for (index, count) in [1, 64, 500, 40_000, 100_000, 3].enumerated() {
      let message = text(count, seed: UInt64(index))
      for outputBytes in [16, 17, 1000, 200_000] {
        let compressed = deflated(message, with: deflater, outputBytes: outputBytes)
        #expect(compressed.suffix(4) == [0, 0, 0xFF, 0xFF])
        #expect(try inflated(compressed, with: inflater, outputBytes: outputBytes) == message)
        #expect(inflater.isBetweenBlocks)
        #expect(!inflater.isAtStreamEnd)
      }
    }
  }

  @Test func anotherUserOfZlibUnderstandsIt() throws {
    let other = RawDeflate()
    let deflater = Deflater(windowBits: 15, level: 1)
    let inflater = Inflater(windowBits: 15)
    for seed in 1...20 as ClosedRange<UInt64> {
      let message = text(Int(seed * seed * 37), seed: seed)
      let compressed = Array(deflated(message, with: deflater).dropLast(4))
      #expect(other.decompress(compressed) == message)
      #expect(try inflated(other.compress(message) + [0, 0, 255, 255], with: inflater) == message)
    }
  }

  @Test func theSecondOfTwoEqualMessagesIsSmallUnlessForgotten() throws {
    let message = text(2000, seed: 1)
    let deflater = Deflater(windowBits: 15, level: 1)
    let first = deflated(message, with: deflater)
    #expect(deflated(message, with: deflater).count < first.count / 4)
    deflater.reset()
    #expect(deflated(message, with: deflater) == first)
  }

  @Test func whatWasForgottenCannotBeReferredTo() throws {
    let message = text(2000, seed: 1)
    let deflater = Deflater(windowBits: 15, level: 1)
    let both = [deflated(message, with: deflater), deflated(message, with: deflater)]
    let inflater = Inflater(windowBits: 15)
    #expect(try inflated(both[0], with: inflater) == message)
    inflater.reset()
    #expect(throws: DeflateDataError.self) { try inflated(both[1], with: inflater) }
  }

  /// RFC 7692, 7.2.3.4: what follows a last block begins at the next byte, and knows the window.
  @Test func theStreamGoesOnAfterABlockThatCallsItselfTheLast() throws {
    let hello: [UInt8] = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
    let inflater = Inflater(windowBits: 15)
    #expect(try inflated(hello, with: inflater) == Array("Hello".utf8))
    #expect(inflater.isAtStreamEnd)
    #expect(inflater.isBetweenBlocks)
    #expect(try inflated([0x00, 0, 0, 255, 255], with: inflater) == [])
    #expect(!inflater.isAtStreamEnd)
    // RFC 7692, 7.2.3.2: "Hello" again, by what is in the window.
    let again: [UInt8] = [0xF2, 0x00, 0x11, 0x00, 0x00, 0, 0, 255, 255]
    #expect(try inflated(again, with: inflater) == Array("Hello".utf8))
  }

  @Test func aStreamThatEndsInsideABlockIsNotBetweenBlocks() throws {
    let compressed = deflated(text(5000, seed: 3), with: Deflater(windowBits: 15, level: 6))
    for count in stride(from: 1, to: compressed.count - 4, by: 97) {
      let inflater = Inflater(windowBits: 15)
      _ = try inflated(Array(compressed[..<count]), with: inflater)
      #expect(!inflater.isBetweenBlocks, "\(count)")
    }
  }

  @Test(arguments: 1...200 as ClosedRange<UInt64>)
  func noiseIsRefusedOrGivesSomethingButNeverCrashes(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let inflater = Inflater(windowBits: 15)
    for _ in 0..<20 {
      let noise = (0..<Int.random(in: 0...60, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      guard (try? inflated(noise, with: inflater)) != nil else { return }
    }
  }

  @Test func outputBeyondItsRoomIsNotMade() throws {
    let zeros = [UInt8](repeating: 0, count: 10_000_000)
    let compressed = deflated(zeros, with: Deflater(windowBits: 15, level: 9))
    #expect(compressed.count < 20_000)
    let inflater = Inflater(windowBits: 15)
    var output = [UInt8](repeating: 1, count: 100)
    let step = try compressed.withUnsafeBytes { input in
      try output.withUnsafeMutableBytes { try inflater.inflate(input, into: $0) }
    }
    #expect(step.produced == 100)
    #expect(step.consumed < 100)
  }

  @Test func allMemoryIsGivenBack() throws {
    let memory = ZlibMemory()
    do {
      let deflater = Deflater(windowBits: 15, level: 1, memory: memory)
      let inflater = Inflater(windowBits: 15, memory: memory)
      let compressed = deflated(text(50_000, seed: 1), with: deflater)
      _ = try inflated(compressed, with: inflater)
      deflater.reset()
      inflater.reset()
      #expect(throws: DeflateDataError.self) { try inflated([0xFF, 0xFF], with: inflater) }
      #expect(memory.blocks > 4)
    }
    #expect(memory.blocks == 0)
  }
}
