import Foundation
import Glibc
import Testing

@testable import hotline

/// What is said when the daemon is not there, and when the words are wrong.
@Suite struct UnreachableTests {
  @Test(arguments: ["ask hi", "send", "ping", "status", "reload", "drain"])
  func absentDaemonIsNamedWithTheWayToStartIt(_ command: String) {
    let words = command.split(separator: " ").map { String($0) } + ["--socket", "/nowhere/x.sock"]
    let ending = Program(arguments: words, socket: nil).finish()
    #expect(ending.status == 69)
    #expect(ending.output == "")
    #expect(
      ending.error
        == "hotline: hotlined is not there: no socket at /nowhere/x.sock; start it with "
        + "\"systemctl --user enable --now hotlined.socket\", or run hotlined in a terminal\n")
  }

  @Test func socketThatNobodyListensAtIsNamed() {
    let path = NSTemporaryDirectory() + "/hotline-\(UInt64.random(in: 0...UInt64.max))"
    close(ListeningSocket.bound(to: path))
    defer { unlink(path) }
    let ending = Program("ask", "hi", socket: path).finish()
    #expect(ending.status == 69)
    #expect(ending.error.hasPrefix("hotline: hotlined is not there: nobody listens at \(path);"))
    #expect(ending.error.contains("systemctl --user enable --now hotlined.socket"))
  }

  @Test(.enabled(if: getuid() != 0, "root may open everything"))
  func socketThatMayNotBeOpenedIsNamed() {
    let path = NSTemporaryDirectory() + "/hotline-\(UInt64.random(in: 0...UInt64.max))"
    let listener = ListeningSocket.listen(at: path)
    chmod(path, 0)
    defer {
      unlink(path)
      close(listener)
    }
    let ending = Program("ask", "hi", socket: path).finish()
    #expect(ending.status == 69)
    #expect(ending.error.contains("this user may not open \(path);"))
  }

  @Test func withoutAPathItSaysHowToGiveOne() {
    for variables in [[:], ["XDG_RUNTIME_DIR": "relative"], ["XDG_RUNTIME_DIR": ""]] {
      let ending = Program("ping", variables: variables).finish()
      #expect(ending.status == 78)
      #expect(
        ending.error
          == "hotline: no socket path is known; give --socket PATH, or set HOTLINE_SOCKET or "
          + "XDG_RUNTIME_DIR\n")
    }
  }

  @Test func pathIsTakenFromTheFirstPlaceThatHasOne() {
    let runtime = ["XDG_RUNTIME_DIR": "/run/user/1"]
    #expect(
      Program("get-sockname", variables: runtime).finish().output == "/run/user/1/hotline.sock\n")
    let both = Program("get-sockname", socket: "/a", variables: runtime).finish()
    #expect(both == Program.Ending(status: 0, output: "/a\n", error: ""))
    #expect(Program("get-sockname", "--socket", "/b", socket: "/a").finish().output == "/b\n")
  }

  @Test func pathMayBeAsLongAsASocketAddressHolds() {
    let longest = "/" + String(repeating: "x", count: 106)
    #expect(Program("get-sockname", socket: longest).finish().status == 0)
    let ending = Program("get-sockname", socket: longest + "x").finish()
    #expect(ending.status == 78)
    #expect(ending.error.contains("has 108 bytes, a Unix socket takes 107;"))
  }

  @Test func unknownCommandIsNotRepeatedAsItMayBeAPrompt() {
    let ending = Program("my secret question").finish()
    #expect(ending.status == 2)
    #expect(!ending.error.contains("secret"))
    #expect(ending.error.contains("hotline ask TEXT"))
  }

  @Test func wrongOptionIsAUsageError() {
    let ending = Program("ping", "--nonsense").finish()
    #expect(ending.status == 2)
    #expect(ending.error.hasPrefix("hotline: Unknown option '--nonsense'\n"))
    #expect(ending.output == "")
  }

  @Test(arguments: [
    ("0.001", true), ("604800", true), ("0.0009", false), ("604801", false), ("nan", false),
    ("x", false),
  ])
  func timeoutHasItsRange(_ value: String, _ isGood: Bool) {
    let ending = Program("ask", "--timeout", value, "hi", socket: "/nowhere").finish()
    #expect(ending.status == (isGood ? 69 : 2))
  }

  @Test func askWithoutTextIsAUsageError() {
    let ending = Program("ask", socket: "/nowhere").finish()
    #expect(ending.status == 2)
    #expect(ending.error.hasPrefix("hotline: there is no text; give it"))
  }

  @Test func materialThatIsNoTextIsAUsageError() {
    let program = Program("ask", socket: "/nowhere", isInputOpen: true)
    program.write([0x61, 0xFF])
    let ending = program.finish()
    #expect(ending.status == 2)
    #expect(ending.error.contains("is not UTF-8"))
  }

  @Test func helpListsEveryStatusAndCommand() {
    let ending = Program("--help").finish()
    #expect(ending.status == 0)
    for word in [
      "ask", "send", "ping", "status", "reload", "drain", "key", "get-sockname", " 69 ", " 75 ",
      " 130 ",
    ] {
      #expect(ending.output.contains(word))
    }
    #expect(Program("ask", "--help").finish().output.contains("  78  configuration"))
  }

  @Test func versionIsPrinted() {
    let ending = Program("--version").finish()
    #expect(ending == Program.Ending(status: 0, output: "0.1.0\n", error: ""))
  }

  @Test func outputThatIsClosedIsAnError() {
    let ending = Program("get-sockname", socket: "/a", output: .closed).finish()
    #expect(ending.status == 1)
    #expect(ending.error.hasPrefix("hotline: cannot write to standard output: "))
  }

  @Test(arguments: [
    ("/run/hotline/work.sock", "hotlined@work", ""),
    ("/run/user/1/hotline.sock", "hotlined", "--user "),
    ("/run/hotline/.sock", "hotlined", "--user "), ("/run/hotline/a/b.sock", "hotlined", "--user "),
  ])
  func theServiceIsTheOneBehindTheSocket(_ path: String, _ name: String, _ option: String) {
    let unit = ServiceUnit(socketPath: path)
    #expect(unit.start == "systemctl \(option)enable --now \(name).socket")
    #expect(unit.restart == "systemctl \(option)restart \(name)")
    #expect(unit.log == "journalctl \(option)-u \(name)")
  }
}
