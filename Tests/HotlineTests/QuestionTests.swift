import Foundation
import Testing

/// Questions to a scripted daemon.
@Suite struct QuestionTests {
  private static let pong =
    #"{"type":"hotline.pong","protocol":1,"version":"9.8.7","pid":4321,"uptime_s":7300}"#

  private func answer(_ line: String, to question: String) -> FakeDaemon {
    FakeDaemon { client in
      #expect(client.readLine() == #"{"type":"\#(question)"}"#)
      client.send(line)
      _ = client.readToEnd()
    }
  }

  @Test func pingShowsTimeVersionAndProcess() throws {
    let daemon = answer(Self.pong, to: "hotline.ping")
    let ending = Program("ping", socket: daemon.path).finish()
    #expect(ending.status == 0)
    let pattern = try Regex(
      #"hotlined 9\.8\.7 answered in \d+\.\d\d ms \(pid 4321, up 2 h 1 min, protocol 1\)\n"#)
    #expect(ending.output.wholeMatch(of: pattern) != nil)
  }

  @Test func pingAsJSONIsTheDaemonsLine() {
    let daemon = answer(Self.pong, to: "hotline.ping")
    let ending = Program("ping", "--json", socket: daemon.path).finish()
    #expect(ending == Program.Ending(status: 0, output: Self.pong + "\n", error: ""))
  }

  @Test func silentDaemonIsReported() {
    let daemon = FakeDaemon { client in _ = client.readToEnd() }
    let ending = Program("ping", "--timeout", "0.2", socket: daemon.path).finish()
    #expect(ending.status == 69)
    #expect(ending.error.contains("did not answer within 200 ms; restart it"))
  }

  @Test func daemonThatHangsUpIsReported() {
    let daemon = FakeDaemon { client in _ = client.readLine() }
    let ending = Program("status", socket: daemon.path).finish()
    #expect(ending.status == 69)
    #expect(ending.error.contains("closed the connection without an answer"))
  }

  @Test func refusalIsReported() {
    let daemon = answer(Lines.error("not_allowed", accepted: false), to: "hotline.status")
    #expect(Program("status", socket: daemon.path).finish().status == 77)
  }

  // MARK: Commands

  @Test func reloadIsSilentWhereAllWentWell() {
    let ok = #"{"type":"hotline.ok"}"#
    let daemon = answer(ok, to: "hotline.reload")
    let ending = Program("reload", socket: daemon.path).finish()
    #expect(ending == Program.Ending(status: 0, output: "", error: ""))
    let again = answer(ok, to: "hotline.reload")
    #expect(Program("reload", "--json", socket: again.path).finish().output == ok + "\n")
  }

  @Test func warningsOfAReloadAreShown() {
    let daemon = answer(
      #"{"type":"hotline.ok","warnings":["socket.path: is\u001bkept","two"]}"#,
      to: "hotline.reload")
    let ending = Program("reload", socket: daemon.path).finish()
    #expect(ending.status == 0)
    #expect(ending.error == "hotline: warning: socket.path: is kept\nhotline: warning: two\n")
  }

  @Test func aConfigurationWithErrorsIsAFailure() {
    let daemon = answer(Lines.error("invalid_request", accepted: false), to: "hotline.reload")
    let ending = Program("reload", socket: daemon.path).finish()
    #expect(ending.status == 1)
    #expect(ending.error == "hotline: invalid_request: what happened; what to do\n")
  }

  @Test func drainWaitsForTheEndOfWhatRuns() {
    let ok = #"{"type":"hotline.ok"}"#
    for arguments in [["drain"], ["drain", "--json"], ["drain", "--timeout", "60"]] {
      let daemon = answer(ok, to: "hotline.drain")
      let ending = Program(arguments: arguments, socket: daemon.path).finish()
      let output = arguments.contains("--json") ? ok + "\n" : ""
      #expect(ending == Program.Ending(status: 0, output: output, error: ""))
    }
  }

  @Test func drainThatIsEndedByAReloadOrTheDaemonFails() {
    let daemon = answer(
      Lines.error("cancelled", accepted: false, retryable: true), to: "hotline.drain")
    let ending = Program("drain", socket: daemon.path).finish()
    #expect(ending.status == 75)
    #expect(ending.error.hasPrefix("hotline: cancelled: "))
    let gone = FakeDaemon { client in _ = client.readLine() }
    #expect(Program("drain", socket: gone.path).finish().status == 69)
    let silent = FakeDaemon { client in _ = client.readToEnd() }
    #expect(Program("drain", "--timeout", "0.2", socket: silent.path).finish().status == 69)
  }

  @Test(arguments: ["0", "3601", "x"]) func waitsOutOfRangeAreUsageErrors(seconds: String) {
    for command in ["drain", "reload"] {
      #expect(Program(command, "--timeout", seconds, socket: "/x").finish().status == 2)
    }
  }
}
