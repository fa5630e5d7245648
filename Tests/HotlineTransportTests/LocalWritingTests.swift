import HotlineCore
import NIOCore
import NIOEmbedded
import Testing

@testable import HotlineTransport

/// What is written to a client, and how its reading limits what is read from it.
@Suite struct LocalWritingTests {
  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test func linesAreWrittenTogetherByTheFlush() throws {
    let rig = try LocalRig()
    rig.client.write(bytes("one\n"))
    rig.client.writeOwn(bytes("two\n"))
    rig.client.write(byteCount: 6) { $0.copyBytes(from: Array("three\n".utf8)) }
    #expect(rig.client.unreadBytes == 14)
    #expect(try rig.sent() == [])
    rig.client.flush()
    #expect(try rig.sent() == ["one\ntwo\nthree\n"])
    #expect(rig.client.unreadBytes == 0)
  }

  @Test func nothingIsWrittenToAClientThatIsGone() throws {
    let rig = try LocalRig()
    rig.client.write(bytes("one\n"))
    rig.hangUp()
    rig.client.write(bytes("two\n"))
    rig.client.writeOwn(bytes("three\n"))
    rig.client.flush()
    #expect(try rig.sent() == [])
    #expect(rig.client.unreadBytes == 0)
    #expect(rig.ledger.bytes == 0)
  }

  @Test func whatIsReadWhenTheClientHasHungUpIsAnsweredByNothing() throws {
    let rig = try LocalRig()
    rig.delegate.onCall = { client, call in
      if case .line = call { client.writeOwn(Array("answer\n".utf8)) }
    }
    try rig.receive("unfinished")
    rig.hangUp()
    #expect(rig.delegate.told == [.line("unfinished"), .closed])
    #expect(rig.client.unreadBytes == 0)
  }

  @Test func closingWritesWhatIsCollected() throws {
    let rig = try LocalRig()
    rig.client.write(bytes("last\n"))
    rig.client.close()
    rig.client.write(bytes("later\n"))
    #expect(try rig.sent() == ["last\n"])
    #expect(rig.delegate.told == [.closed])
  }

  // MARK: The daemon's own lines

  /// Answers each line with eight bytes.
  private func answeringRig(ownBytesMax: Int) throws -> LocalRig {
    let rig = try LocalRig(.init(ownBytesMax: ownBytesMax))
    rig.delegate.onCall = { client, call in
      switch call {
      case .line, .tooLong: client.writeOwn(Array("1234567\n".utf8))
      case .readCompleted: client.flush()
      case .connected, .drained, .abandoned, .halfClosed, .closed: break
      }
    }
    return rig
  }

  @Test func linesOfOneReadWaitWhileTooManyAnswersAreUnread() throws {
    let rig = try answeringRig(ownBytesMax: 16)
    try rig.receive("a\nb\nc\nd\ne\nf")
    #expect(rig.delegate.calls == [.line("a"), .line("b"), .readCompleted])
    #expect(rig.ledger.bytes == 7)
    #expect(try rig.sent() == ["1234567\n1234567\n"])
    rig.channel.embeddedEventLoop.run()
    #expect(try rig.sent() == ["1234567\n1234567\n", "1234567\n"])
    #expect(rig.delegate.told == "abcde".map { .line(String($0)) })
    rig.halfClose()
    #expect(rig.delegate.told == "abcdef".map { .line(String($0)) } + [.halfClosed])
  }

  @Test func halfCloseWaitsForTheLinesThatWait() throws {
    let rig = try answeringRig(ownBytesMax: 16)
    try rig.receive("a\nb\nc\nd")
    #expect(rig.delegate.told == [.line("a"), .line("b")])
    rig.halfClose()
    #expect(rig.delegate.told == "abcd".map { .line(String($0)) })
    rig.channel.embeddedEventLoop.run()
    #expect(rig.delegate.told == "abcd".map { .line(String($0)) } + [.halfClosed])
    #expect(rig.delegate.calls.last == .readCompleted)
  }

  @Test func linesThatWaitAreGivenOutWhenTheClientHangsUp() throws {
    let rig = try answeringRig(ownBytesMax: 16)
    rig.delegate.calls = []
    try rig.receive("a\nb\nc\nd")
    rig.hangUp()
    #expect(rig.delegate.told == "abcd".map { .line(String($0)) } + [.closed])
    rig.channel.embeddedEventLoop.run()
    #expect(rig.ledger.bytes == 0)
  }

  /// Whole lines are no unfinished line.
  @Test func linesThatWaitAreNotGivenUpUnderMemoryPressure() throws {
    let rig = try LocalRig(.init(ownBytesMax: 1), memoryMax: 10)
    rig.delegate.onCall = { client, call in
      if case .line = call { client.writeOwn([0x0A]) }
    }
    try rig.receive("first\nsecond\nthird\n")
    #expect(rig.delegate.told == [.line("first")])
  }

  @Test func requestLinesDoNotStopTheReading() throws {
    let rig = try LocalRig(.init(ownBytesMax: 16))
    rig.delegate.onCall = { client, call in
      if case .line = call { client.write(Array("0123456789\n".utf8)) }
    }
    try rig.receive("a\nb\nc\nd\n")
    #expect(rig.delegate.told.count == 4)
  }

  @Test func ownLinesAreCountedAmongTheBytesThatWait() {
    var lines = OwnLines()
    func write(_ count: Int, own: Bool) {
      lines.bytesWritten += count
      if own { lines.wrote(count, at: lines.bytesWritten) }
    }
    write(10, own: true)
    write(100, own: false)
    write(20, own: true)
    write(30, own: true)
    #expect(!lines.mayExceed(61))
    #expect(lines.mayExceed(60))
    #expect(lines.unread(unreadBytes: 160) == 60)
    #expect(lines.unread(unreadBytes: 155) == 55)
    #expect(lines.unread(unreadBytes: 150) == 50)
    #expect(!lines.mayExceed(51))
    #expect(lines.unread(unreadBytes: 50) == 50)
    #expect(lines.unread(unreadBytes: 31) == 31)
    #expect(lines.unread(unreadBytes: 1) == 1)
    lines.forgetRead(unreadBytes: 0)
    #expect(!lines.mayExceed(1))
    #expect(lines.unread(unreadBytes: 0) == 0)
  }

  /// Else a client that pings all day would be remembered all day.
  @Test func ownLinesThatWereReadAreForgotten() throws {
    let rig = try LocalRig()
    for _ in 0..<1000 {
      rig.client.write(bytes("event\n"))
      rig.client.writeOwn(bytes("pong\n"))
      rig.client.flush()
    }
    #expect(!rig.client.hasOwnLinesNoted)
  }

  // MARK: Buffers

  @Test func buffersAreLentAgainUnlessTheyGrewTooLarge() {
    let pool = BufferPool()
    var buffer = pool.take()
    buffer.reserveCapacity(BufferPool.bytesMax)
    buffer.writeString("old")
    pool.giveBack(buffer)
    buffer = pool.take()
    #expect(buffer.readableBytes == 0)
    #expect(buffer.storageCapacity == BufferPool.bytesMax)
    buffer.reserveCapacity(BufferPool.bytesMax + 1)
    pool.giveBack(buffer)
    #expect(pool.take().storageCapacity < BufferPool.bytesMax)
  }

  @Test func anIdleClientHoldsNoBuffer() throws {
    let rig = try LocalRig(.init(lineBytesMax: 1 << 20))
    try rig.receive(String(repeating: "x", count: 100_000) + "\n")
    rig.client.write([UInt8](repeating: 0x61, count: 100_000))
    rig.client.flush()
    #expect(rig.client.unread.storageCapacity == 0)
    #expect(rig.client.out == nil)
    #expect(rig.ledger.bytes == 0)
  }
}
