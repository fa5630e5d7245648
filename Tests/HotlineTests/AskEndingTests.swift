import Foundation
import Glibc
import Testing

/// Every way in which `ask` ends.
@Suite struct AskEndingTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var lines: [String]
    var status: Int32
    var error: String
  }

  private static let incomplete = Lines.terminal(
    "incomplete", members: #","incomplete_details":{"reason":"max_output_tokens"}"#)
  private static let failed = Lines.terminal(
    "failed", members: #","error":{"code":"server_error","message":"It broke."}"#)
  private static let upstreamError =
    #"{"request_id":"ask","type":"error","status":429,"error":{"type":"t","#
    + #""code":"rate_limit_exceeded","message":"Slow down.\u001b[2J"}}"#

  static let cases = [
    Case(
      testDescription: "incomplete", lines: [incomplete, Lines.done("incomplete")], status: 3,
      error: "hotline: incomplete: the server cut the answer short (max_output_tokens); "
        + "ask for less at once\n"),
    Case(
      testDescription: "failed", lines: [failed, Lines.done("failed")], status: 1,
      error: "hotline: server_error: the server says: It broke\n"),
    Case(
      testDescription: "the server's error", lines: [upstreamError, Lines.done("error")],
      status: 75,
      error: "hotline: rate_limit_exceeded: the server says: Slow down. [2J; try again later\n"),
    Case(
      testDescription: "refused",
      lines: [Lines.error("invalid_request", accepted: false)], status: 1,
      error: "hotline: invalid_request: what happened; what to do\n"),
    Case(
      testDescription: "retryable, not sent",
      lines: [
        Lines.error("queue_timeout", accepted: true, retryable: true), Lines.done("error"),
      ], status: 75,
      error: "hotline: queue_timeout: what happened; what to do; try again later\n"),
    Case(
      testDescription: "retryable, perhaps sent",
      lines: [
        Lines.error("connection_lost", accepted: true, retryable: true, sent: "unknown"),
        Lines.done("error"),
      ], status: 75,
      error: "hotline: connection_lost: what happened; what to do; the server may have acted on "
        + "it, so trying again later may be billed twice\n"),
    Case(
      testDescription: "not allowed", lines: [Lines.error("not_allowed", accepted: false)],
      status: 77,
      error: "hotline: not_allowed: what happened; what to do; run hotline as the user that runs "
        + "hotlined\n"),
    Case(
      testDescription: "key refused",
      lines: [Lines.error("upstream_auth", accepted: true), Lines.done("error")], status: 78,
      error: "hotline: upstream_auth: what happened; what to do\n"),
    Case(
      testDescription: "cancelled by another", lines: [Lines.done("cancelled")], status: 1,
      error: "hotline: cancelled: the request was cancelled by somebody else; ask again if that "
        + "was a mistake\n"),
    Case(
      testDescription: "closed early", lines: [Lines.terminal("completed")], status: 75,
      error: "hotline: hotlined closed the connection before the answer was finished (no "
        + "hotline.done); whether the server acted on the request is not known, so trying again "
        + "may be billed twice\n"),
    Case(
      testDescription: "error, then closed", lines: [Lines.error("internal", accepted: true)],
      status: 1, error: "hotline: internal: what happened; what to do\n"),
    Case(
      testDescription: "no JSON", lines: ["220 mail ESMTP"], status: 1,
      error: "hotline: what answers is no hotlined: it sent a line that is no JSON object (a value "
        + "was expected (byte 0)); check the socket's path with \"hotline get-sockname\"\n"),
  ]

  @Test(arguments: cases) func endsWithItsStatusAndOneSentence(_ expected: Case) {
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      for line in expected.lines { client.send(line) }
    }
    let ending = Program("ask", "hi", socket: daemon.path).finish()
    #expect(ending.status == expected.status)
    #expect(ending.error == expected.error)
    #expect(ending.output == "")
  }

  @Test func sentenceBeginsOnALineOfItsOwnOnATerminal() {
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(Lines.delta("half"), Self.failed, Lines.done("failed"))
    }
    let ending = Program("ask", "hi", socket: daemon.path, output: .terminal).finish()
    #expect(ending.status == 1)
    #expect(ending.output == "half\n")
  }

  @Test func readerThatLeavesEndsItQuietlyAndHangsUp() {
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(Lines.delta("text"))
      // Neither a cancel line nor anything else but the end.
      #expect(client.readToEnd() == [])
    }
    let program = Program("ask", "hi", socket: daemon.path)
    #expect(program.readOutput(byteCount: 1) == "t")
    program.closeOutput()
    #expect(program.finish() == Program.Ending(status: 141, output: "", error: ""))
    #expect(daemon.finish())
  }

  @Test func interruptCancelsAndWaitsForTheLastLine() {
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(Lines.delta("x"))
      #expect(client.readLine() == #"{"type":"response.cancel","request_id":"ask"}"#)
      client.send(Lines.delta("late"), Lines.done("cancelled"))
      #expect(client.readToEnd() == [])
    }
    let program = Program("ask", "hi", socket: daemon.path)
    #expect(program.readOutput(byteCount: 1) == "x")
    program.interrupt()
    #expect(program.finish() == Program.Ending(status: 130, output: "", error: ""))
    #expect(daemon.finish())
  }

  @Test func interruptDoesNotWaitLongForASilentDaemon() {
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(Lines.delta("x"))
      _ = client.readToEnd()
    }
    let program = Program("ask", "hi", socket: daemon.path)
    #expect(program.readOutput(byteCount: 1) == "x")
    let start = ContinuousClock.now
    program.interrupt()
    #expect(program.finish().status == 130)
    let time = ContinuousClock.now - start
    #expect(time > .seconds(1) && time < .seconds(10))
  }

  @Test func secondInterruptEndsAtOnce() {
    // Two signals before the program looks are one; its cancel line says that it has looked.
    let isCancelled = DispatchSemaphore(value: 0)
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(Lines.delta("x"))
      _ = client.readLine()
      isCancelled.signal()
      _ = client.readToEnd()
    }
    let program = Program("ask", "hi", socket: daemon.path)
    #expect(program.readOutput(byteCount: 1) == "x")
    let start = ContinuousClock.now
    program.interrupt()
    #expect(isCancelled.wait(timeout: .now() + 20) == .success)
    program.interrupt()
    #expect(program.finish().status == 130)
    // After the first alone it waits two seconds.
    #expect(ContinuousClock.now - start < .seconds(1.9))
  }

  @Test func interruptEndsItWhileNobodyReadsItsOutput() {
    let piece = String(repeating: "x", count: 100_000)
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      for _ in 0..<20 { client.send(Lines.delta(piece)) }
      client.send(Lines.done("completed"))
      _ = client.readToEnd()
    }
    let program = Program("ask", "hi", socket: daemon.path)
    #expect(program.readOutput(byteCount: 1) == "x")
    usleep(200_000)
    program.interrupt()
    usleep(100_000)
    program.interrupt()
    #expect(program.finish().status == 130)
  }

  @Test func silentDaemonIsGivenUpAfterTheTimeout() {
    let daemon = FakeDaemon { client in _ = client.readToEnd() }
    let ending = Program("ask", "--timeout", "0.1", "hi", socket: daemon.path).finish()
    #expect(ending.status == 75)
    #expect(ending.error.hasPrefix("hotline: hotlined did not end the request within its timeout;"))
  }
}
