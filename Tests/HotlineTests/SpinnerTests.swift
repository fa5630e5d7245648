import Foundation
import Testing

@testable import hotline

/// What is shown on a terminal until the first text.
@Suite struct SpinnerTests {
  private static let queued =
    #"{"type":"hotline.queued","request_id":"ask","position":3,"reason":"busy"}"#
  private static let created = #"{"type":"response.created","request_id":"ask","response":{}}"#

  /// Plays a line whenever the test says so.
  private func start(
    _ variables: [String: String], output: Program.Output = .terminal,
    error: Program.Output = .terminal
  ) -> (program: Program, next: DispatchSemaphore, daemon: FakeDaemon) {
    let next = DispatchSemaphore(value: 0)
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(Self.queued)
      _ = next.wait(timeout: .now() + 20)
      client.send(Self.created)
      _ = next.wait(timeout: .now() + 20)
      client.send(Lines.delta("text"), Lines.done("completed"))
    }
    let program = Program(
      "ask", "hi", socket: daemon.path, variables: variables, output: output, error: error)
    return (program, next, daemon)
  }

  @Test func reasonIsShownAndGoneBeforeTheText() {
    let (program, next, daemon) = start(["TERM": "xterm"])
    #expect(program.readError(to: " queued, number 3\u{1B}[K").hasPrefix("\r| queued"))
    next.signal()
    let thinking = program.readError(to: " thinking\u{1B}[K")
    #expect(thinking.unicodeScalars.allSatisfy { $0.isASCII })
    next.signal()
    let ending = program.finish()
    #expect(daemon.finish())
    #expect(ending.status == 0)
    #expect(ending.output == "text\n")
    #expect(ending.error.hasSuffix("\r\u{1B}[K"))
  }

  @Test func localeDecidesWhatItIsMadeOf() {
    let locales = [
      (["LANG": "C.UTF-8"], true), (["LANG": "C.UTF-8", "LC_ALL": "C"], false),
      (["LC_CTYPE": "de_DE.utf8", "LANG": "C"], true),
    ]
    for (variables, isUnicode) in locales {
      let (program, next, daemon) = start(variables.merging(["TERM": "xterm"]) { $1 })
      let text = program.readError(to: " queued")
      #expect(text.unicodeScalars.allSatisfy { $0.isASCII } == !isUnicode)
      next.signal()
      next.signal()
      #expect(program.finish().status == 0)
      #expect(daemon.finish())
    }
  }

  @Test func nothingIsShownWhereNobodyLooks() {
    let cases: [([String: String], Program.Output, Program.Output)] = [
      (["TERM": "xterm"], .pipe, .terminal), (["TERM": "xterm"], .terminal, .pipe),
      (["TERM": "dumb"], .terminal, .terminal), ([:], .terminal, .terminal),
    ]
    for (variables, output, error) in cases {
      let (program, next, daemon) = start(variables, output: output, error: error)
      // Long enough for it to be shown.
      usleep(500_000)
      next.signal()
      next.signal()
      #expect(program.finish().error == "")
      #expect(daemon.finish())
    }
  }

  @Test func everyReasonHasItsWords() {
    #expect(Spinner.words(.waiting) == "waiting")
    #expect(Spinner.words(.queued(reason: "connecting", position: 1)) == "connecting")
    #expect(Spinner.words(.queued(reason: "new", position: nil)) == "queued")
    #expect(Spinner.words(.queued(reason: "order", position: 1)).contains("conversation"))
    #expect(Spinner.words(.answering) == "answering")
  }
}
