import HotlineCore
import NIOCore
import NIOEmbedded
import Testing

@testable import HotlineTransport

/// What a client's bytes become.
@Suite struct LocalReadingTests {
  typealias Call = RecordingClientDelegate.Call

  static let corpus: [(text: String, calls: [Call])] = [
    ("a\n", [.line("a"), .halfClosed, .closed]),
    ("a\nbb\r\nccc\n", [.line("a"), .line("bb"), .line("ccc"), .halfClosed, .closed]),
    ("\n\r\n \na\n\n", [.line("a"), .halfClosed, .closed]),
    ("a\nlast", [.line("a"), .line("last"), .halfClosed, .closed]),
    ("a\nlast\r", [.line("a"), .line("last"), .halfClosed, .closed]),
    ("12345678\na", [.line("12345678"), .line("a"), .halfClosed, .closed]),
    ("12345678\r\na", [.line("12345678"), .line("a"), .halfClosed, .closed]),
    ("123456789\na\n", [.tooLong, .line("a"), .halfClosed, .closed]),
    ("a\n1234567890123456789\n\nb", [.line("a"), .tooLong, .line("b"), .halfClosed, .closed]),
    ("123456789", [.tooLong, .halfClosed, .closed]), ("", [.halfClosed, .closed]),
  ]

  @Test(arguments: corpus.indices)
  func linesCutAtEveryTwoBytesAreTheSame(index: Int) throws {
    let (text, calls) = Self.corpus[index]
    let bytes = Array(text.utf8)
    for first in 0...bytes.count {
      for second in first...bytes.count {
        let rig = try LocalRig(.init(lineBytesMax: 8))
        for part in [bytes[..<first], bytes[first..<second], bytes[second...]]
        where !part.isEmpty {
          try rig.receive(ByteBuffer(bytes: part))
        }
        rig.halfClose()
        rig.hangUp()
        #expect(rig.delegate.told == calls)
        #expect(rig.ledger.bytes == 0)
      }
    }
  }

  @Test func lastLineWithoutLFCountsWhenTheClientHangsUpToo() throws {
    let rig = try LocalRig()
    try rig.receive("a\nlast")
    rig.hangUp()
    #expect(rig.delegate.told == [.line("a"), .line("last"), .closed])
  }

  @Test func everyReadAndEveryEndIsFollowedByItsCompletion() throws {
    let rig = try LocalRig()
    try rig.receive("a\nb\nc")
    rig.halfClose()
    #expect(
      rig.delegate.calls == [
        .line("a"), .line("b"), .readCompleted, .line("c"), .halfClosed, .readCompleted,
      ])
  }

  @Test func theCompletionOfNoReadIsNotTold() throws {
    let rig = try LocalRig()
    rig.channel.pipeline.fireChannelReadComplete()
    #expect(rig.delegate.calls == [])
  }

  @Test func aLineThatIsTooLongIsNotCollected() throws {
    let rig = try LocalRig(.init(lineBytesMax: 1000))
    for _ in 0..<1000 {
      try rig.receive(String(repeating: "x", count: 100))
      #expect(rig.ledger.bytes <= 1001)
      #expect(rig.client.unread.storageCapacity <= 4096)
    }
    try rig.receive("\na\n")
    #expect(rig.delegate.told == [.tooLong, .line("a")])
    #expect(rig.ledger.bytes == 0)
  }

  @Test func anUnfinishedLineIsAccountedUntilItIsGivenOut() throws {
    let rig = try LocalRig(.init(lineBytesMax: 1000))
    var heldDuringCall = -1
    rig.delegate.onCall = { [ledger = rig.ledger] _, call in
      if case .line = call { heldDuringCall = ledger.bytes }
    }
    try rig.receive("12345")
    #expect(rig.ledger.bytes == 5)
    try rig.receive("67890")
    #expect(rig.ledger.bytes == 10)
    try rig.receive("\nabc")
    #expect(heldDuringCall == 3)
    #expect(rig.ledger.bytes == 3)
    rig.hangUp()
    #expect(rig.ledger.bytes == 0)
  }

  @Test func aSmallRestOfALargeReadDoesNotKeepAllOfIt() throws {
    let rig = try LocalRig(.init(lineBytesMax: 1 << 20))
    try rig.receive(String(repeating: "x", count: 200_000) + "\nrest")
    #expect(rig.client.unread.readableBytes == 4)
    #expect(rig.client.unread.storageCapacity <= 512)
    try rig.receive(" of it\n")
    #expect(rig.delegate.told.last == .line("rest of it"))
    #expect(rig.client.unread.storageCapacity == 0)
  }

  @Test func aLineWithoutSlackHasMemoryOfItsOwn() throws {
    let read = ByteBuffer(repeating: 0x61, count: 200_000)
    let small = try #require(read.getSlice(at: 1000, length: 300))
    #expect(small.withoutSlack() == small)
    #expect(small.withoutSlack().storageCapacity <= 512)
    let large = try #require(read.getSlice(at: 0, length: 180_000))
    #expect(large.withoutSlack().storageCapacity == read.storageCapacity)
  }

  // MARK: Memory pressure

  @Test func overTheMemoryLimitAnUnfinishedLineIsGivenUp() throws {
    let rig = try LocalRig(.init(lineBytesMax: 1000), memoryMax: 100)
    try rig.receive("a\n" + String(repeating: "x", count: 100))
    #expect(rig.delegate.told == [.line("a")])
    try rig.receive("x")
    #expect(rig.delegate.told == [.line("a"), .abandoned])
    #expect(rig.ledger.bytes == 0)
    try rig.receive("the rest of it\nb\n")
    #expect(rig.delegate.told == [.line("a"), .abandoned, .line("b")])
  }

  // MARK: Closing within

  @Test(arguments: ["one\ntwo\nthree\n", "one\ntwo\nthr"])
  func aClientThatIsClosedByItsLineIsNotReadOn(rest: String) throws {
    let rig = try LocalRig()
    rig.delegate.onCall = { client, call in
      guard case .line = call else { return }
      client.write(Array("bye\n".utf8))
      client.close()
    }
    try rig.receive("ze")
    try rig.receive("ro\n" + rest)
    #expect(rig.delegate.told == [.line("zero"), .closed])
    #expect(try rig.sent() == ["bye\n"])
    #expect(rig.ledger.bytes == 0)
  }

  /// NIO reads what is left of a socket when a write fails, which may be within a line.
  @Test func whatIsReadWithinALineWaitsForIt() throws {
    let rig = try LocalRig()
    rig.delegate.onCall = { [channel = rig.channel] _, call in
      guard call == .line("one") else { return }
      channel.pipeline.fireChannelRead(ByteBuffer(string: "ee\nlast"))
      channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
      channel.close(promise: nil)
    }
    try rig.receive("o")
    try rig.receive("ne\ntwo\nthr")
    #expect(
      rig.delegate.told == [.line("one"), .line("two"), .line("three"), .line("last"), .closed])
    #expect(rig.ledger.bytes == 0)
  }
}
