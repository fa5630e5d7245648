import ArgumentParser
import Testing

@testable import hotline

/// The quick way and the argument parser understand the same.
@Suite struct QuickCommandTests {
  @Test(arguments: [
    "ask hi", "ask", "ask -", "ask two words", "ask --socket /a --model m hi", "ask -v hi",
    "ask --verbose --raw --json hi", "ask --events --batch hi -- --model -x", "ask -- -x",
    "ask --system s --upstream u --tag t --conversation c --timeout 1.5 hi",
    "ask --file a --file b --image c --schema d --model m --model n hi", "ask -v -v hi --raw",
    "send", "send -", "send f", "send --socket /a f", "send -- -f",
    "get-sockname", "get-sockname --socket /a",
    "get-sockname --json",
  ])
  func plainArgumentsMeanTheSame(_ line: String) throws {
    let words = line.split(separator: " ").map { String($0) }
    let quick = try #require(QuickCommand(words))
    switch try HotlineCommand.parseAsRoot(words) {
    case let command as AskCommand: #expect(quick == .ask(command.ask))
    case let command as SendCommand: #expect(quick == .send(command.send))
    case let command as GetSocknameCommand:
      #expect(
        quick
          == .getSockname(socket: command.socketOptions.socket, json: command.json))
    default: Issue.record("\(line) is another command")
    }
  }

  @Test(arguments: [
    "", "ping", "help", "ask --help", "ask -h", "ask --model", "ask --model -x", "ask --model=m hi",
    "ask --timeout x hi", "ask --timeout 0 hi", "ask --json --events hi", "ask -vx hi", "ask -x hi",
    "ask --nonsense hi", "send a b", "send --jobs 2 f", "send --version", "get-sockname x",
    "--version", "--socket /a ask hi",
  ])
  func whatIsNotPlainIsLeftToTheParser(_ line: String) {
    #expect(QuickCommand(line.split(separator: " ").map { String($0) }) == nil)
  }

  @Test func emptyArgumentsAreWords() throws {
    #expect(
      QuickCommand(["ask", "", "--model", "", "x"]) == .ask(Ask(words: ["", "x"], model: "")))
    let command = try HotlineCommand.parseAsRoot(["ask", "", "--model", "", "x"])
    #expect((command as? AskCommand)?.ask == Ask(words: ["", "x"], model: ""))
  }
}
