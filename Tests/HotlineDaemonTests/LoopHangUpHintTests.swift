import HotlineCore
import HotlineTransport
import Logging
import NIOCore
import Synchronization
import Testing

@testable import HotlineDaemon

/// The hint for `socat` without `-t`.
@Suite struct LoopHangUpHintTests {
  private final class Nobody: ClientHandlerDelegate {
    func clientConnected(_ client: ClientHandler) {}
    func clientSent(_ client: ClientHandler, line: ByteBuffer) {}
    func clientSentTooLong(_ client: ClientHandler) {}
    func clientLineAbandoned(_ client: ClientHandler) {}
    func clientReadCompleted(_ client: ClientHandler) {}
    func clientHalfClosed(_ client: ClientHandler) {}
    func clientDrained(_ client: ClientHandler) {}
    func clientClosed(_ client: ClientHandler) {}
  }

  private let start = MonotonicInstant(nanoseconds: 1_000_000_000)
  private let log = LogCapture()
  private var said: Int { log.lines.count }

  private func close(
    _ hint: inout HangUpHint, after milliseconds: Int, from: MonotonicInstant? = nil,
    lastLineAfter: Int? = nil
  ) {
    let from = from ?? start
    let client = ClientHandler(
      number: ClientNumber(1), limits: .init(), buffers: BufferPool(),
      ledger: MemoryLedger(limit: 0), delegate: Nobody())
    client.lastWriteAt = lastLineAfter.map { from.advanced(by: .milliseconds($0)) }
    hint.clientClosed(
      client, "socat", halfClosedAt: from, at: from.advanced(by: .milliseconds(milliseconds)),
      log.logger)
  }

  @Test(arguments: [(399, 0), (400, 1), (500, 1), (700, 1), (701, 0)])
  func onlyAboutHalfASecondIsSuspicious(milliseconds: Int, lines: Int) {
    var hint = HangUpHint()
    close(&hint, after: milliseconds)
    #expect(said == lines)
  }

  @Test func theTimeCountsFromTheLastLine() {
    var hint = HangUpHint()
    close(&hint, after: 500, lastLineAfter: 300)
    #expect(said == 0)
    close(&hint, after: 800, lastLineAfter: 300)
    #expect(said == 1)
  }

  @Test func itIsSaidOnceAnHour() {
    var hint = HangUpHint()
    close(&hint, after: 500)
    close(&hint, after: 500, from: start.advanced(by: .seconds(3599)))
    #expect(said == 1)
    close(&hint, after: 500, from: start.advanced(by: .seconds(3600)))
    #expect(said == 2)
  }
}
