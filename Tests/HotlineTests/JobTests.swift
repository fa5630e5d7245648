import Foundation
import Glibc
import TestSupport
import Testing

@testable import hotline

/// `send --jobs` against a scripted daemon.
@Suite struct JobTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  private static func request(_ id: String) -> String {
    #"{"type":"response.create","request_id":"\#(id)","model":"m"}"#
  }

  private static func delta(_ text: String, id: String) -> String {
    #"{"request_id":"\#(id)","type":"response.output_text.delta","delta":"\#(text)"}"#
  }

  private func file(_ lines: String...) throws -> String {
    try directory.write("requests", lines.map { $0 + "\n" }.joined())
  }

  private func results(_ output: String) throws -> [JSON] {
    try output.split(separator: "\n").map { try JSON(parsing: String($0)) }
  }

  @Test func soManyRunAtOnceAndEachHasItsLine() throws {
    let path = try file(Self.request("a"), Self.request("b"), Self.request("c"))
    let daemon = FakeDaemon { client in
      #expect(client.readLine() == Self.request("a"))
      #expect(client.readLine() == Self.request("b"))
      // The third comes when one has ended.
      #expect(client.isSilent(milliseconds: 200))
      client.send(Self.delta("B", id: "b"), Lines.done("completed", id: "b"))
      #expect(client.readLine() == Self.request("c"))
      client.send(
        Self.delta("A", id: "a"), Self.delta("C", id: "c"), Self.delta("\\ud83d", id: "a"),
        Self.delta("\\ude00", id: "a"), Lines.done("completed", id: "c"),
        Lines.done("completed", id: "a"))
      #expect(client.readToEnd() == [])
    }
    let ending = Program("send", "--jobs", "2", path, socket: daemon.path).finish()
    #expect(ending.status == 0)
    #expect(ending.error == "")
    let lines = try results(ending.output)
    #expect(lines.map(\.request_id.string) == ["b", "c", "a"])
    #expect(lines.map(\.text.string) == ["B", "C", "A😀"])
    #expect(lines.allSatisfy { $0.outcome.string == "completed" && $0.error == .null })
    #expect(lines.allSatisfy { $0.done.usage.output_tokens.integer == 34 })
    #expect(daemon.finish())
  }

  @Test func resultsComeInOrderIfAsked() throws {
    let path = try file(Self.request("a"), Self.request("b"), Self.request("c"))
    let daemon = FakeDaemon { client in
      for _ in 1...3 { _ = client.readLine() }
      for id in ["c", "b", "a"] { client.send(Lines.done("completed", id: id)) }
    }
    let ending = Program("send", "--jobs", "3", "--in-order", path, socket: daemon.path).finish()
    #expect(ending.status == 0)
    #expect(try results(ending.output).map(\.request_id.string) == ["a", "b", "c"])
  }

  @Test func requestWithoutAnIDGetsThatOfItsLine() throws {
    let daemon = FakeDaemon { client in
      #expect(client.readLine() == #"{"request_id":"line-2","type":"response.create","model":"m"}"#)
      client.send(Lines.done("completed", id: "line-2"))
    }
    let program = Program("send", "--jobs", "1", socket: daemon.path, isInputOpen: true)
    program.write(Array("\n {\"type\":\"response.create\",\"model\":\"m\"}".utf8))
    let ending = program.finish()
    #expect(ending.status == 0)
    #expect(try results(ending.output).map(\.request_id.string) == ["line-2"])
  }

  @Test func textIsTakenFromTheResponseWhereNoDeltaCame() throws {
    let path = try file(Self.request("a"))
    let response =
      #"{"request_id":"a","type":"response.completed","response":{"id":"r","output":[{"#
      + #""type":"message","content":[{"type":"output_text","text":"whole"}]}]}}"#
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(response, Lines.done("completed", id: "a"))
    }
    let line = try results(
      Program("send", "--jobs", "1", path, socket: daemon.path).finish().output)
    #expect(line.first?.text.string == "whole")
    #expect(line.first?.response.id.string == "r")
  }

  @Test func failuresAreResultsAndTheStatus() throws {
    let path = try file(Self.request("a"), Self.request("b"))
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      _ = client.readLine()
      client.send(
        Lines.error("connection_lost", accepted: true, retryable: true, id: "a"),
        Lines.done("error", id: "a"), Lines.error("message_too_large", accepted: false, id: "b"))
    }
    let ending = Program("send", "--jobs", "2", path, socket: daemon.path).finish()
    #expect(ending.status == 1)
    let lines = try results(ending.output)
    #expect(lines.map(\.outcome.string) == ["error", "refused"])
    #expect(lines.map(\.error.code.string) == ["connection_lost", "message_too_large"])
    #expect(lines.last?.done == .null)
  }

  @Test func whatTheDaemonHasNoRoomForIsSentAgain() throws {
    let path = try file(Self.request("a"), Self.request("b"), Self.request("c"))
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      _ = client.readLine()
      client.send(
        Lines.error("too_many_requests", accepted: false, retryable: true, id: "b"),
        Lines.done("completed", id: "a"))
      #expect(client.readLine() == Self.request("b"))
      // Its limit was one.
      #expect(client.isSilent(milliseconds: 200))
      client.send(Lines.done("completed", id: "b"))
      #expect(client.readLine() == Self.request("c"))
      client.send(Lines.done("completed", id: "c"))
    }
    let ending = Program("send", "--jobs", "2", path, socket: daemon.path).finish()
    #expect(ending.status == 0)
    #expect(try results(ending.output).map(\.request_id.string) == ["a", "b", "c"])
  }

  @Test func daemonThatShutsDownEndsItAfterWhatRuns() throws {
    let path = try file(Self.request("a"), Self.request("b"), Self.request("c"))
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      _ = client.readLine()
      client.send(Lines.error("shutting_down", accepted: false, retryable: true, id: "b"))
      client.send(Lines.done("completed", id: "a"))
      #expect(client.readToEnd() == [])
    }
    let ending = Program("send", "--jobs", "2", path, socket: daemon.path).finish()
    #expect(ending.status == 75)
    #expect(ending.error.hasPrefix("hotline: shutting_down: "))
    #expect(try results(ending.output).map(\.request_id.string) == ["a"])
  }

  @Test func daemonThatLeavesIsReportedAndWhatEndedIsKept() throws {
    let path = try file(Self.request("a"), Self.request("b"))
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      _ = client.readLine()
      client.send(Lines.done("completed", id: "b"))
    }
    let ending = Program("send", "--jobs", "2", "--in-order", path, socket: daemon.path).finish()
    #expect(ending.status == 75)
    #expect(ending.error.contains("with 1 request unfinished"))
    #expect(try results(ending.output).map(\.request_id.string) == ["b"])
  }

  @Test(arguments: [
    ("nonsense", "is not one JSON object"), (#"{"type":"hotline.ping"}"#, "is no request"),
    (#"{"type":"response.create","request_id":null}"#, "neither a string nor an integer"),
    (#"{"type":"response.create","request_id":1.5}"#, "neither a string nor an integer"),
    (#"{"type":"response.create","request_id":"\u0061"}"#, "has the request_id of line 1"),
  ])
  func fileWithALineThatIsWrongIsNotBegun(_ line: String, _ reason: String) throws {
    let path = try file(Self.request("a"), line)
    let ending = Program("send", "--jobs", "2", path, socket: "/nowhere").finish()
    #expect(ending.status == 2)
    #expect(ending.error.hasPrefix("hotline: line 2 of \(path) "))
    #expect(ending.error.contains(reason))
  }

  @Test func wrongLineOfAPipeEndsItAfterWhatRuns() throws {
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(Lines.done("completed", id: "a"))
    }
    let program = Program("send", "--jobs", "2", socket: daemon.path, isInputOpen: true)
    program.write(Array((Self.request("a") + "\nnonsense\n" + Self.request("b") + "\n").utf8))
    let ending = program.finish()
    #expect(ending.status == 2)
    #expect(
      ending.error == "hotline: line 2 of standard input is not one JSON object; correct it\n")
    #expect(try results(ending.output).map(\.request_id.string) == ["a"])
  }

  @Test func refusedCallerLearnsWhy() throws {
    let path = try file(Self.request("a"))
    let daemon = FakeDaemon { client in
      client.send(
        Lines.error("too_many_clients", accepted: false, retryable: true)
          .replacing(#""request_id":"ask""#, with: #""request_id":null"#))
      _ = client.readToEnd()
    }
    let ending = Program("send", "--jobs", "1", path, socket: daemon.path).finish()
    #expect(ending.status == 75)
    #expect(ending.error.hasPrefix("hotline: too_many_clients: "))
  }

  @Test func interruptWaitsForWhatRunsAndTheSecondDoesNot() throws {
    for presses in 1...2 {
      let path = try file(Self.request("a"), Self.request("b"))
      let isPressed = DispatchSemaphore(value: 0)
      let daemon = FakeDaemon { client in
        _ = client.readLine()
        _ = isPressed.wait(timeout: .now() + 20)
        if presses == 1 { client.send(Lines.done("completed", id: "a")) }
        #expect(client.readToEnd() == [])
      }
      let program = Program(
        "send", "--jobs", "1", path, socket: daemon.path, variables: ["TERM": "xterm"],
        error: .terminal)
      let said = "hotline: no more are sent; waiting for 1 that runs"
      _ = program.readError(to: "1 running")
      program.interrupt()
      _ = program.readError(to: said)
      if presses == 2 { program.interrupt() }
      isPressed.signal()
      let ending = program.finish()
      #expect(ending.status == 130)
      #expect(try results(ending.output).count == 2 - presses)
      #expect(daemon.finish())
    }
  }

  @Test func progressIsShownOnATerminalAlone() throws {
    let path = try file(Self.request("a"), Self.request("b"))
    for error in [Program.Output.terminal, .pipe] {
      let next = DispatchSemaphore(value: 0)
      let daemon = FakeDaemon { client in
        for id in ["a", "b"] {
          _ = client.readLine()
          _ = next.wait(timeout: .now() + 20)
          client.send(Lines.done(id == "a" ? "completed" : "failed", id: id))
        }
        _ = client.readToEnd()
      }
      let program = Program(
        "send", "--jobs", "2", path, socket: daemon.path, variables: ["TERM": "xterm"],
        error: error)
      if error == .terminal {
        _ = program.readError(to: "\r[--------------------] 0/2, 2 running\u{1B}[K")
        next.signal()
        _ = program.readError(to: "\r[##########----------] 1/2, 1 running, 46 tokens, ")
        next.signal()
      } else {
        next.signal()
        next.signal()
      }
      let ending = program.finish()
      #expect(ending.status == 1)
      guard error == .terminal else {
        #expect(ending.error == "")
        continue
      }
      #expect(ending.error.contains("\r\u{1B}[Khotline: 2 done of 2, 1 failed, 92 tokens, in "))
    }
  }

  @Test func progressSaysRateAndTimeLeft() {
    let counts = JobBoard.Counts(ended: 30, failed: 2, tokens: 900, running: 8)
    #expect(
      JobProgress.text(counts, total: 120, after: 60)
        == "[#####---------------] 30/120, 8 running, 2 failed, 900 tokens, 0.5/s, 3m0s left")
    #expect(JobProgress.text(counts, total: nil, after: 600).hasSuffix(" 900 tokens, 3.0/min"))
    #expect(
      JobProgress.text(.init(), total: 0, after: 0) == "[####################] 0/0, 0 running")
  }

  @Test(arguments: [["--resume", "x"], ["--in-order"], ["--jobs", "0"], ["--jobs", "1001"]])
  func optionsHaveTheirRange(_ options: [String]) {
    #expect(Program(arguments: ["send"] + options, socket: "/nowhere").finish().status == 2)
  }
}
