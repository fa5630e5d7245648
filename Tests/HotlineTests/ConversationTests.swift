import Foundation
import Glibc
import TestSupport
import Testing

@testable import hotline

/// `ask --conversation`: what is kept between two questions.
@Suite struct ConversationTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  private var variables: [String: String] { ["XDG_STATE_HOME": directory.path] }
  private var file: String { directory("hotline/conversations/talk") }

  /// Asks once, of a daemon that answers each connection's request with the next of `answers`.
  private func ask(
    _ answers: [[String]], options: [String] = []
  ) -> (ending: Program.Ending, requests: [String]) {
    let script = Script(answers)
    let daemon = FakeDaemon(clients: answers.count) { client in
      for line in script.next(client.readLine() ?? "") { client.send(line) }
    }
    let words = ["ask", "--conversation", "talk", "hi"] + options
    let ending = Program(arguments: words, socket: daemon.path, variables: variables).finish()
    return (ending, script.requests)
  }

  private final class Script: @unchecked Sendable {
    private var answers: [[String]]
    private(set) var requests: [String] = []

    init(_ answers: [[String]]) {
      self.answers = answers
    }

    func next(_ request: String) -> [String] {
      requests.append(request)
      return answers.removeFirst()
    }
  }

  private static func completed(_ id: String) -> [String] {
    [Lines.delta("x"), Lines.done("completed", response: id)]
  }

  @Test func secondQuestionFollowsTheFirstAnswer() throws {
    let first = ask([Self.completed("resp_1")])
    #expect(first.ending == Program.Ending(status: 0, output: "x", error: ""))
    #expect(first.requests[0].contains(#""hotline":{"conversation":"talk"},"response":{"input""#))
    #expect(
      try String(contentsOfFile: file, encoding: .utf8)
        == #"{"conversation":"talk","response_id":"resp_1","upstream":"test"}"# + "\n")
    #expect(try directory.names() == ["hotline"])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: directory("hotline/conversations"))
        == ["talk"])
    let second = ask([Self.completed("resp_2")])
    #expect(second.ending == Program.Ending(status: 0, output: "x", error: ""))
    #expect(
      second.requests[0].contains(
        #""hotline":{"upstream":"test","conversation":"talk"},"#
          + #""response":{"previous_response_id":"resp_1","input""#))
    #expect(try String(contentsOfFile: file, encoding: .utf8).contains("resp_2"))
  }

  @Test(
    arguments: [
      (
        [Lines.error("conversation_lost", accepted: true), Lines.done("error")],
        "the connection that it lived on is gone"
      ),
      (
        [
          #"{"request_id":"ask","type":"error","error":{"code":"previous_response_not_found"}}"#,
          Lines.done("error"),
        ], "the server no longer has it"
      ),
      (
        [
          Lines.terminal("failed", members: #","error":{"code":"previous_response_not_found"}"#),
          Lines.done("failed"),
        ], "the server no longer has it"
      ),
    ] as [([String], String)])
  func lostConversationIsStartedAgainAndThatIsSaid(_ lost: [String], _ reason: String) throws {
    _ = ask([Self.completed("resp_1")])
    for options in [[], ["--json"]] {
      let answer =
        options.isEmpty
        ? Self.completed("resp_1")
        : [Lines.terminal("completed"), Lines.done("completed", response: "resp_1")]
      let (ending, requests) = ask([lost, answer], options: options)
      #expect(ending.status == 0)
      #expect(ending.output == (options.isEmpty ? "x" : "{\"id\":\"resp_1\"}\n"))
      #expect(
        ending.error
          == "hotline: the conversation \"talk\" is started again: \(reason); the model knows "
          + "nothing of what was said before\n")
      #expect(requests.map { $0.contains("previous_response_id") } == [true, false])
    }
  }

  @Test func otherUpstreamStartsItAgain() {
    _ = ask([Self.completed("resp_1")])
    let (ending, requests) = ask([Self.completed("resp_2")], options: ["--upstream", "other"])
    #expect(ending.status == 0)
    #expect(
      ending.error.contains("started again: it was with the upstream \"test\", not \"other\";"))
    #expect(requests.map { $0.contains("previous_response_id") } == [false])
  }

  @Test func failureKeepsTheFormerPlace() throws {
    _ = ask([Self.completed("resp_1")])
    let (ending, _) = ask([[Lines.terminal("failed"), Lines.done("failed", response: "resp_2")]])
    #expect(ending.status == 1)
    #expect(try String(contentsOfFile: file, encoding: .utf8).contains("resp_1"))
  }

  @Test func incompleteAnswerCanBeFollowed() throws {
    #expect(ask([[Lines.done("incomplete", response: "resp_1")]]).ending.status == 3)
    #expect(try String(contentsOfFile: file, encoding: .utf8).contains("resp_1"))
  }

  @Test func damagedFileIsNamed() throws {
    _ = ask([Self.completed("resp_1")])
    try Data("{\"conversation\":\"other\"}".utf8).write(to: URL(filePath: file))
    let ending = Program(
      "ask", "--conversation", "talk", "hi", socket: "/nowhere", variables: variables
    ).finish()
    #expect(ending.status == 78)
    #expect(
      ending.error
        == "hotline: \(file) does not say where the conversation was left; remove it to begin "
        + "anew\n")
  }

  @Test func withoutAPlaceToKeepItNothingIsAsked() throws {
    for variables in [[:], ["HOME": "relative"], ["XDG_STATE_HOME": "/dev/null/x"]] {
      let ending = Program(
        "ask", "--conversation", "talk", "hi", socket: "/nowhere", variables: variables
      ).finish()
      #expect(ending.status == 78)
      #expect(ending.error.contains("XDG_STATE_HOME"))
    }
  }

  @Test(arguments: ["", String(repeating: "x", count: 129)])
  func nameHasItsLength(_ name: String) {
    let ending = Program("ask", "--conversation", name, "hi", socket: "/nowhere").finish()
    #expect(ending.status == 2)
    #expect(ending.error.contains("it must have 1 to 128 characters"))
  }

  @Test func everyNameHasAFileOfItsOwn() {
    #expect(Conversation.fileName(for: "a-B_9") == "a-B_9")
    #expect(Conversation.fileName(for: "../x") == "%2e%2e%2fx")
    #expect(Conversation.fileName(for: "é\n") == "%c3%a9%0a")
    let long = String(repeating: "é", count: 128)
    let names = [long, String(long.dropLast()) + "x"].map { Conversation.fileName(for: $0) }
    #expect(names[0] != names[1])
    #expect(names.allSatisfy { $0.utf8.count <= 200 })
  }

  @Test func stateIsKeptWhereTheSpecificationSays() {
    func base(_ variables: [String: String]) -> String? {
      StateDirectory.base { variables[$0] }
    }
    #expect(base(["XDG_STATE_HOME": "/s", "HOME": "/h"]) == "/s")
    #expect(base(["XDG_STATE_HOME": "s", "HOME": "/h"]) == "/h/.local/state")
    #expect(base(["XDG_STATE_HOME": "", "HOME": "/h"]) == "/h/.local/state")
    #expect(base([:]) == nil)
  }
}
