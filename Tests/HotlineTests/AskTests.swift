import Foundation
import Glibc
import Testing

/// `ask` against a scripted daemon: what it sends and what it prints.
@Suite struct AskTests {
  /// Plays `lines` after the request, ends in `completed`, and runs `ask hi`.
  private func ask(
    _ lines: [String], output: Program.Output = .pipe, options: [String] = []
  ) -> Program.Ending {
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      for line in lines { client.send(line) }
    }
    let words = ["ask"] + options + ["hi"]
    return Program(arguments: words, socket: daemon.path, output: output).finish()
  }

  @Test func printsTextAsItComes() {
    let isRead = DispatchSemaphore(value: 0)
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(Lines.delta("Hel"))
      isRead.wait()
      client.send(Lines.delta(#"lo\n\u00e9"#), Lines.terminal("completed"), Lines.done("completed"))
    }
    let program = Program("ask", "hi", socket: daemon.path)
    #expect(program.readOutput(byteCount: 3) == "Hel")
    isRead.signal()
    #expect(program.finish() == Program.Ending(status: 0, output: "lo\né", error: ""))
  }

  @Test func textOfBothKindsOfDeltaIsPrinted() {
    let other = #"{"type":"response.text.delta","request_id":"ask","delta":"b"}"#
    let reasoning = #"{"type":"response.reasoning_text.delta","request_id":"ask","delta":"no"}"#
    let ending = ask([Lines.delta("a"), reasoning, other, Lines.done("completed")])
    #expect(ending == Program.Ending(status: 0, output: "ab", error: ""))
  }

  @Test func surrogatesSplitOverTwoDeltasAreJoined() {
    let ending = ask([
      Lines.delta(#"a\ud83d"#), Lines.delta(#"\ude00b"#), Lines.delta(#"\ud83d"#),
      Lines.done("completed"),
    ])
    #expect(ending.output == "a😀b\u{FFFD}")
  }

  @Test func requestHasTheNestedShapeAndNothingThatWasNotGiven() {
    let daemon = FakeDaemon { client in
      #expect(
        client.readLine()
          == #"{"type":"response.create","request_id":"ask","response":{"input":[{"#
          + #""type":"message","role":"user","content":[{"#
          + #""type":"input_text","text":"say \"hi\""}]}]}}"#
      )
      client.send(Lines.done("completed"))
    }
    #expect(Program("ask", "say", "\"hi\"", socket: daemon.path).finish().status == 0)
    #expect(daemon.finish())
  }

  @Test func optionsGoIntoTheRequest() {
    let daemon = FakeDaemon { client in
      #expect(
        client.readLine()
          == #"{"type":"response.create","request_id":"ask","hotline":{"upstream":"u","#
          + #""timeout_ms":1500},"response":{"model":"m","instructions":"s","input":[{"#
          + #""type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}]}}"#)
      client.send(Lines.done("completed"))
    }
    let program = Program(
      "ask", "--model", "m", "--system", "s", "--upstream", "u", "--timeout", "1.5", "hi",
      socket: daemon.path)
    #expect(program.finish().status == 0)
    #expect(daemon.finish())
  }

  @Test func instructionAndMaterialAreJoinedByABlankLine() {
    let daemon = FakeDaemon { client in
      #expect(client.readLine()?.contains(#""text":"sum\n\none\ntwo"}"#) == true)
      client.send(Lines.done("completed"))
    }
    let program = Program("ask", "sum", socket: daemon.path, isInputOpen: true)
    program.write(Array("one\ntwo\n".utf8))
    #expect(program.finish().status == 0)
    #expect(daemon.finish())
  }

  @Test func materialAloneIsEnough() {
    let daemon = FakeDaemon { client in
      #expect(client.readLine()?.contains(#""text":"one"}"#) == true)
      client.send(Lines.done("completed"))
    }
    let program = Program("ask", socket: daemon.path, isInputOpen: true)
    program.write(Array("one\r\n".utf8))
    #expect(program.finish().status == 0)
    #expect(daemon.finish())
  }

  @Test func jsonIsTheFinalResponseByteForByte() {
    let ending = ask(
      [
        Lines.delta("hidden"),
        #"{"request_id":"ask","type":"response.completed","response": { "id":"\u0061", "n":1.0 }}"#,
        Lines.done("completed"),
      ], options: ["--json"])
    let json = #"{ "id":"\u0061", "n":1.0 }"# + "\n"
    #expect(ending == Program.Ending(status: 0, output: json, error: ""))
  }

  @Test func completedWithoutAResponseIsAFailureForWhoWantsJSON() {
    let ending = ask([Lines.delta("hidden"), Lines.done("completed")], options: ["--json"])
    #expect(ending.status == 1)
    #expect(ending.output == "")
    #expect(
      ending.error.hasPrefix("hotline: the server ended the answer without a response object"))
  }

  @Test func verboseSaysTimeAndTokens() {
    let ending = ask([Lines.delta("x"), Lines.done("completed")], options: ["-v"])
    #expect(ending.output == "x")
    #expect(
      ending.error
        == "hotline: completed in 1840 ms, queued 0.1 ms, first text after 231 ms, 12 tokens in, "
        + "34 tokens out, warm connection 7 to test\n")
  }

  @Test func controlCharactersDoNotReachATerminal() {
    let text = #"a\u001b[31mb\tc\r\nd\u0000\u007f\u0085\u009b\u00a0\u00e9\u0007"#
    let ending = ask([Lines.delta(text), Lines.done("completed")], output: .terminal)
    #expect(ending.output == "a[31mb\tc\nd\u{A0}é\n")
  }

  @Test func rawKeepsControlCharactersOnATerminal() {
    let ending = ask(
      [Lines.delta(#"a\u001b[31m\u009b\n"#), Lines.done("completed")], output: .terminal,
      options: ["--raw"])
    #expect(ending.output == "a\u{1B}[31m\u{9B}\n")
  }

  @Test func controlCharactersGoThroughAPipe() {
    let ending = ask([Lines.delta(#"a\u001b\u0085"#), Lines.done("completed")])
    #expect(ending.output == "a\u{1B}\u{85}")
  }

  @Test func longTextArrivesWhole() {
    let piece = String(repeating: "0123456789", count: 10_000)
    let ending = ask((0..<20).map { _ in Lines.delta(piece) } + [Lines.done("completed")])
    #expect(ending.output == String(repeating: piece, count: 20))
  }
}
