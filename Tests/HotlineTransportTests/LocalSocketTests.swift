import HotlineCore
import NIOCore
import TestSupport
import Testing

@testable import HotlineTransport

/// What only a real socket does: ends, backlogs, hang-ups.
@Suite(.serialized) struct LocalSocketTests {
  /// Echoes each line; closes after a half-close, as the daemon does when nothing is open.
  @Sendable private static func echo(
    _ client: ClientHandler, _ call: RecordingClientDelegate.Call
  ) {
    switch call {
    case .line(let line): client.write(Array((line + "\n").utf8))
    case .halfClosed: client.close()
    case .readCompleted: client.flush()
    case .connected, .drained, .tooLong, .abandoned, .closed: break
    }
  }

  @Test func halfCloseThenAnswersThenTheEnd() throws {
    let server = try LocalSocketServer(.init(lineBytesMax: 64), answer: Self.echo)
    let client = try server.connect()
    try client.write("one\ntwo\nlast")
    client.shutDownWriting()
    #expect(try client.readToEnd() == "one\ntwo\nlast\n")
    #expect(try server.waits { $0.delegate.calls.last == .closed })
    #expect(
      try server.onLoop { $0.delegate.told } == [
        .connected, .line("one"), .line("two"), .line("last"), .halfClosed, .closed,
      ])
    #expect(try server.onLoop { $0.ledger.bytes } == 0)
  }

  @Test func whatWasWrittenBeforeAHangUpIsRead() throws {
    let server = try LocalSocketServer(.init(lineBytesMax: 64), answer: Self.echo)
    let client = try server.connect()
    try client.write("one\ntwo\nlast")
    client.close()
    #expect(try server.waits { $0.delegate.calls.last == .closed })
    let told = try server.onLoop { $0.delegate.told }
    #expect(
      told.filter { $0 != .halfClosed } == [
        .connected, .line("one"), .line("two"), .line("last"), .closed,
      ])
    #expect(try server.onLoop { $0.ledger.bytes } == 0)
  }

  @Test func whatWasWrittenBeforeAHangUpIsReadAlsoWhenAWriteFindsItOut() throws {
    let server = try LocalSocketServer(.init(lineBytesMax: 64), answer: Self.echo)
    let client = try server.connect()
    #expect(try server.waits { $0.client?.isOpen == true })
    // One turn of the loop, in which the client writes and hangs up before the daemon writes.
    let bound = SendableBox(client)
    try server.onLoop { state in
      try? bound.value.write("one\ntwo\n")
      bound.value.close()
      state.client?.write(Array("event\n".utf8))
      state.client?.flush()
    }
    #expect(try server.waits { $0.delegate.calls.last == .closed })
    let told = try server.onLoop { $0.delegate.told }
    #expect(told == [.connected, .line("one"), .line("two"), .closed])
  }

  @Test func closingWritesEverythingAlsoForASlowReader() throws {
    let line = String(repeating: "x", count: 999) + "\n"
    let server = try LocalSocketServer { client, call in
      guard case .line = call else { return }
      for _ in 0..<5000 {
        client.write(Array(line.utf8))
        client.flush()
      }
      client.close()
    }
    let client = try server.connect()
    try client.write("go\n")
    #expect(try server.waits { ($0.client?.unreadBytes ?? 0) > 4_000_000 })
    let text = try client.readToEnd()
    #expect(text.utf8.count == 5_000_000)
    #expect(try server.waits { $0.delegate.calls.last == .closed })
    #expect(try server.onLoop { $0.ledger.bytes } == 0)
  }

  @Test func unreadBytesGrowAndShrinkWithWhatTheClientTakes() throws {
    let server = try LocalSocketServer { client, call in
      guard case .line = call else { return }
      client.write([UInt8](repeating: 0x61, count: 3_000_000))
      client.flush()
      client.write([UInt8](repeating: 0x62, count: 1_000_000))
      client.flush()
    }
    let client = try server.connect()
    try client.write("go\n")
    #expect(try server.waits { ($0.client?.unreadBytes ?? 0) > 3_000_000 })
    let before = try server.onLoop { $0.client?.unreadBytes ?? 0 }
    #expect(before < 4_000_000, "the kernel took something")
    #expect(try server.onLoop { $0.ledger.bytes } >= before)
    var taken = 0
    while taken < 2_000_000, let some = try client.read() { taken += some.count }
    #expect(try server.waits { ($0.client?.unreadBytes ?? 0) < 2_100_000 })
    #expect(try server.onLoop { $0.client?.unreadBytes ?? 0 } >= 4_000_000 - taken - 500_000)
    while taken < 4_000_000, let some = try client.read() { taken += some.count }
    #expect(try server.waits { $0.client?.unreadBytes == 0 && $0.ledger.bytes == 0 })
  }

  /// Each flush of a small line would else keep a buffer of the pool.
  @Test func aSlowReaderDoesNotKeepABufferForEachLine() throws {
    let server = try LocalSocketServer { client, call in
      guard case .line = call else { return }
      for _ in 0..<20_000 {
        client.write([UInt8](repeating: 0x61, count: 100))
        client.flush()
      }
    }
    let client = try server.connect()
    try client.write("go\n")
    #expect(try server.waits { ($0.client?.unreadBytes ?? 0) > 1_000_000 })
    try server.onLoop { state in
      let unread = state.client?.unreadBytes ?? 0
      #expect((state.client?.out?.storageCapacity ?? 0) <= 2 * unread)
      #expect(state.ledger.bytes <= unread + BufferPool.bytesMax)
    }
    var taken = 0
    while taken < 2_000_000, let some = try client.read() { taken += some.count }
    #expect(try server.waits { $0.ledger.bytes == 0 })
  }

  // MARK: Floods

  /// Answers each line by four times as many bytes of the daemon's own.
  @Sendable private static func amplify(
    _ client: ClientHandler, _ call: RecordingClientDelegate.Call
  ) {
    switch call {
    case .line(let line):
      client.writeOwn(Array((String(repeating: line, count: 4) + "\n").utf8))
    case .readCompleted: client.flush()
    case .halfClosed: client.close()
    case .connected, .drained, .tooLong, .abandoned, .closed: break
    }
  }

  @Test func aFloodOfLinesIsReadNoFurtherThanItsAnswersAreRead() throws {
    let server = try LocalSocketServer(answer: Self.amplify)
    let client = try server.connect()
    let line = String(repeating: "p", count: 49) + "\n"
    let written = client.writeUntilFull(line, max: 50_000_000)
    #expect(written < 2_000_000)
    let held = try server.onLoop { $0.ledger.bytes }
    #expect(held < 2_000_000, "answers and a read that waits")
    #expect(held > 700_000, "the limit was reached")
    #expect(try server.onLoop { $0.client?.unreadBytes ?? 0 } < (1 << 20) + 200)
    // When they are read, all goes on.
    client.shutDownWriting()
    let (lines, rest) = written.quotientAndRemainder(dividingBy: 50)
    let answered = lines * 197 + (rest > 0 ? rest * 4 + 1 : 0)
    #expect(try client.readToEnd().utf8.count == answered)
    #expect(try server.waits { $0.delegate.calls.last == .closed && $0.ledger.bytes == 0 })
  }

  @Test func aHangUpIsHeardWhileReadingIsHeld() throws {
    let server = try LocalSocketServer(answer: Self.amplify)
    let client = try server.connect()
    let line = String(repeating: "p", count: 49) + "\n"
    let written = client.writeUntilFull(line, max: 50_000_000)
    #expect(try server.onLoop { $0.client?.hasHeldRead == true })
    client.close()
    #expect(try server.waits { $0.delegate.calls.last == .closed })
    let lines = try server.onLoop { state in
      state.delegate.calls.count { if case .line = $0 { true } else { false } }
    }
    #expect(lines == (written + 49) / 50)
    #expect(try server.onLoop { $0.ledger.bytes } == 0)
  }

  @Test func aHangUpOfAnIdleClientIsHeard() throws {
    let server = try LocalSocketServer(answer: Self.echo)
    let client = try server.connect()
    #expect(try server.waits { $0.client?.isOpen == true })
    client.close()
    #expect(try server.waits { $0.delegate.calls.last == .closed })
  }

  @Test func aLongLineArrivesWhole() throws {
    let server = try LocalSocketServer { client, call in
      guard case .line(let line) = call else { return }
      client.write(Array("\(line.utf8.count)\n".utf8))
      client.close()
    }
    let client = try server.connect()
    try client.write(String(repeating: "x", count: 20_000_000) + "\n")
    #expect(try client.readToEnd() == "20000000\n")
  }
}

/// For what one thread hands to another and does not touch meanwhile.
private struct SendableBox<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
