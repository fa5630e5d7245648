import Foundation
import Glibc
import Testing

/// `send` against a scripted daemon.
@Suite struct SendTests {
  private static let request = #"{"type":"response.create","request_id":"a","model":"m"}"#

  /// Sends `input`; the daemon reads to the half-close and plays `lines`.
  private func send(_ input: String, _ lines: [String]) -> Program.Ending {
    let daemon = FakeDaemon { client in
      _ = client.readToEnd()
      for line in lines { client.send(line) }
    }
    let program = Program("send", socket: daemon.path, isInputOpen: true)
    program.write(Array(input.utf8))
    return program.finish()
  }

  @Test func linesGoThroughBothWaysAsTheyAre() {
    let daemon = FakeDaemon { client in
      #expect(client.readToEnd() == Array("\(Self.request)\r\n\n{bad".utf8))
      client.send(Lines.delta("x"), Lines.done("completed", id: "a"))
    }
    let program = Program("send", socket: daemon.path, isInputOpen: true)
    program.write(Array("\(Self.request)\r\n\n{bad".utf8))
    let output = Lines.delta("x") + "\n" + Lines.done("completed", id: "a") + "\n"
    #expect(program.finish() == Program.Ending(status: 0, output: output, error: ""))
    #expect(daemon.finish())
  }

  @Test func answerIsPrintedWhileTheInputIsOpen() {
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(Lines.done("completed", id: "a"))
      #expect(client.readToEnd() == [])
    }
    let program = Program("send", "-", socket: daemon.path, isInputOpen: true)
    program.write(Array((Self.request + "\n").utf8))
    let done = Lines.done("completed", id: "a") + "\n"
    #expect(program.readOutput(byteCount: done.utf8.count) == done)
    #expect(program.finish() == Program.Ending(status: 0, output: "", error: ""))
  }

  @Test func fileIsSent() throws {
    let path = NSTemporaryDirectory() + "/hotline-\(UInt64.random(in: 0...UInt64.max))"
    try (Self.request + "\n").write(toFile: path, atomically: false, encoding: .utf8)
    defer { unlink(path) }
    let daemon = FakeDaemon { client in
      #expect(client.readToEnd() == Array((Self.request + "\n").utf8))
      client.send(Lines.done("completed"))
    }
    #expect(Program("send", path, socket: daemon.path).finish().status == 0)
    #expect(daemon.finish())
  }

  @Test func fileThatIsNotThereIsAUsageError() {
    let ending = Program("send", "/nowhere/x", socket: "/nowhere/y").finish()
    #expect(ending.status == 2)
    #expect(ending.error.hasPrefix("hotline: cannot open /nowhere/x: No such file or directory;"))
    let directory = FakeDaemon { client in _ = client.readToEnd() }
    #expect(Program("send", "/", socket: directory.path).finish().status == 2)
  }

  @Test func lineOf20MiBGoesUpAndDown() {
    let size = 20 << 20
    let daemon = FakeDaemon { client in
      let line = client.readLine()
      #expect(line?.utf8.count == size + Self.request.utf8.count - 1)
      #expect(line?.hasSuffix("xx\"}") == true)
      client.send(Lines.delta(String(repeating: "y", count: size)))
      client.send(Lines.done("completed", id: "a"))
    }
    let program = Program("send", socket: daemon.path, isInputOpen: true)
    let head = Self.request.dropLast(3)
    program.write(Array((head + String(repeating: "x", count: size) + "\"}\n").utf8))
    let ending = program.finish()
    #expect(ending.status == 0)
    #expect(ending.error == "")
    #expect(
      ending.output.utf8.count == size
        + (Lines.delta("") + Lines.done("completed", id: "a")).utf8.count + 2)
    #expect(ending.output.hasSuffix(Lines.done("completed", id: "a") + "\n"))
    #expect(daemon.finish())
  }

  @Test func eitherDirectionFlowsWhileTheOtherIsStuck() {
    let size = 4 << 20
    let daemon = FakeDaemon { client in
      // Far more than all buffers hold, before anything is read.
      client.send(Lines.delta(String(repeating: "y", count: size)))
      #expect(client.readToEnd().count == size)
    }
    let program = Program("send", socket: daemon.path, isInputOpen: true)
    let isWritten = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      program.write([UInt8](repeating: 0x20, count: size))
      program.endInput()
      isWritten.signal()
    }
    #expect(program.readOutput(byteCount: size).utf8.count == size)
    #expect(isWritten.wait(timeout: .now() + 20) == .success)
    #expect(program.finish().status == 0)
    #expect(daemon.finish())
  }

  @Test func inputIsNotReadFasterThanTheDaemonTakesIt() {
    let isOver = DispatchSemaphore(value: 0)
    let daemon = FakeDaemon { _ in isOver.wait() }
    let program = Program("send", socket: daemon.path, isInputOpen: true)
    let isWritten = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      program.write([UInt8](repeating: 0x20, count: 8 << 20))
      isWritten.signal()
    }
    #expect(isWritten.wait(timeout: .now() + 0.5) == .timedOut)
    isOver.signal()
    // The program's end is the input's, which must not be closed under who writes to it.
    #expect(isWritten.wait(timeout: .now() + 20) == .success)
    #expect(program.finish().status == 75)
  }

  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var lines: [String]
    var status: Int32
  }

  static let cases = [
    Case(testDescription: "incomplete", lines: [Lines.done("incomplete")], status: 3),
    Case(testDescription: "failed", lines: [Lines.done("failed")], status: 1),
    Case(testDescription: "cancelled", lines: [Lines.done("cancelled")], status: 1),
    Case(
      testDescription: "incomplete, then failed",
      lines: [Lines.done("incomplete"), Lines.done("failed")], status: 1),
    Case(
      testDescription: "refused", lines: [Lines.error("invalid_json", accepted: false)], status: 1),
    Case(
      testDescription: "retry later",
      lines: [Lines.error("queue_full", accepted: false, retryable: true)], status: 75),
    Case(
      testDescription: "retry later and incomplete",
      lines: [
        Lines.error("timeout", accepted: true, retryable: true), Lines.done("error"),
        Lines.done("incomplete"),
      ], status: 3),
    Case(
      testDescription: "not allowed", lines: [Lines.error("not_allowed", accepted: false)],
      status: 77),
    Case(
      testDescription: "key refused",
      lines: [Lines.error("upstream_auth", accepted: true), Lines.done("error")], status: 78),
    Case(testDescription: "error line that was not seen", lines: [Lines.done("error")], status: 1),
    Case(
      testDescription: "a text that quotes an error",
      lines: [Lines.delta(#"{\"type\":\"error\"}"#), Lines.done("completed")], status: 0),
  ]

  @Test(arguments: cases) func statusIsTheWorstOutcome(_ expected: Case) {
    let ending = send(Self.request + "\n", expected.lines)
    #expect(ending.status == expected.status)
    #expect(ending.error == "")
    #expect(ending.output == expected.lines.map { $0 + "\n" }.joined())
  }

  @Test func requestWithoutLastLineIsReported() {
    let ending = send(Self.request + "\n" + Self.request, [Lines.done("completed")])
    #expect(ending.status == 75)
    #expect(
      ending.error
        == "hotline: hotlined closed the connection with 1 request unfinished; whether the server "
        + "acted on it is not known, so trying again may be billed twice\n")
  }

  @Test func questionsNeedNoLastLine() {
    #expect(send(#"{"type":"hotline.ping"}"#, [#"{"type":"hotline.pong"}"#]).status == 0)
  }

  @Test func daemonThatLeavesBeforeTheEndOfTheInputIsReported() {
    let daemon = FakeDaemon { client in _ = client.readLine() }
    let program = Program("send", socket: daemon.path, isInputOpen: true)
    program.write(Array("{\"type\":\"hotline.ping\"}\n".utf8))
    // Its own end comes before that of its input.
    #expect(program.readOutput(byteCount: 1) == "")
    let ending = program.finish()
    #expect(ending.status == 75)
    #expect(ending.error.contains("before the end of the input; send the rest again"))
  }

  @Test func refusedCallerLearnsWhy() {
    let refusal = Lines.error("too_many_clients", accepted: false, retryable: true)
    let daemon = FakeDaemon { client in client.send(refusal) }
    let program = Program("send", socket: daemon.path, isInputOpen: true)
    #expect(program.readOutput(byteCount: refusal.utf8.count) == refusal)
    let ending = program.finish()
    #expect(ending.status == 75)
  }

  @Test func readerThatLeavesEndsItQuietly() {
    let daemon = FakeDaemon { client in
      client.send(Lines.delta("x"))
      _ = client.readToEnd()
    }
    let program = Program("send", socket: daemon.path, isInputOpen: true)
    #expect(program.readOutput(byteCount: 1) == "{")
    program.closeOutput()
    #expect(daemon.finish())
    #expect(program.finish() == Program.Ending(status: 141, output: "", error: ""))
  }
}
