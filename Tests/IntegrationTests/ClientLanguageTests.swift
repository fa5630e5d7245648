import Foundation
import TestSupport
import Testing

/// The example clients of `contrib/clients`, each with a real daemon and with one that is scripted.
@Suite(.serialized)
struct ClientLanguageTests {
  @Test(Requires.tools("python3")) func python() throws {
    try ExampleClient.script("hotline.py").check()
  }

  @Test(Requires.tools("python3")) func pythonWithAsyncio() throws {
    try ExampleClient.script("hotline_asyncio.py").check()
  }

  @Test(Requires.tools("node")) func node() throws {
    try ExampleClient.script("hotline.mjs").check()
  }

  @Test(Requires.tools("ruby")) func ruby() throws {
    try ExampleClient.script("hotline.rb").check()
  }

  @Test(Requires.part("Perl's JSON::PP", shownBy: "perl", "-MJSON::PP", "-e", "1"))
  func perl() throws {
    try ExampleClient.script("hotline.pl").check()
  }

  @Test(
    Requires.part(
      "Lua's socket or cjson", shownBy: "lua5.4", "-e", "require('socket.unix') require('cjson')"))
  func lua() throws {
    try ExampleClient.script("hotline.lua").check()
  }

  @Test(Requires.tools("bash", "socat", "jq")) func bash() throws {
    try ExampleClient.script("hotline.bash").check()
  }

  @Test(
    Requires.part(
      "jansson or a C compiler", shownBy: "cc", "-E", "-include", "jansson.h", "-xc",
      "/dev/null"))
  func c() throws {
    let directory = try TemporaryDirectory()
    let program = directory("hotline")
    let warnings = ["-Wall", "-Wextra", "-Werror"]
    try ExampleClient.compile(
      "cc", warnings + ["-o", program, ExampleClient.path("hotline.c"), "-ljansson"], directory)
    try ExampleClient(program: program).check()
  }

  /// By Go's own compiler or, where that is missing, GCC's.
  @Test(
    Requires.part("a Go compiler", shownBy: "sh", "-c", "command -v go || command -v gccgo"))
  func go() throws {
    let directory = try TemporaryDirectory()
    let program = directory("hotline")
    let arguments = ["-o", program, ExampleClient.path("hotline.go")]
    if Requires.path(ofTool: "go") != nil {
      try ExampleClient.compile("go", ["build"] + arguments, directory)
    } else {
      try ExampleClient.compile("gccgo", arguments, directory)
    }
    try ExampleClient(program: program).check()
  }

  @Test(Requires.tools("python3", "node"), arguments: ["quickstart.py", "quickstart.mjs"])
  func theDocumentationsOwnPrograms(name: String) throws {
    let rig = try Rig()
    let ran = try ChildProcess.run(
      ExampleClient.path(name), environment: ["HOTLINE_SOCKET": rig.tap.path])
    #expect(ran.end == .exited(0), "\(ran)")
    #expect(ran.output.hasPrefix("Echo: Hello!\n\n"), "\(ran)")
    #expect(ran.output.contains("Usage: {"), "\(ran)")
    #expect(ran.output.contains("output_tokens"), "\(ran)")
  }
}

/// One of the programs, which all take the same arguments and print the same.
struct ExampleClient {
  let program: String

  static func path(_ name: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "contrib/clients/\(name)").path
  }

  static func script(_ name: String) -> ExampleClient { ExampleClient(program: path(name)) }

  static func compile(
    _ compiler: String, _ arguments: [String], _ directory: TemporaryDirectory
  ) throws {
    let ran = try ChildProcess.run(
      Requires.tool(compiler), arguments,
      environment: ["HOME": directory.path, "GOCACHE": directory("cache")], within: .seconds(180))
    try #require(ran.end == .exited(0), "\(ran)")
  }

  func check() throws {
    let rig = try Rig(upstream: "message_bytes_max = \"2MiB\"")
    try checkExamples(rig)
    try checkOutcomes(rig)
    try checkLongLines(rig)
    #expect(try rig.simulator.statistics().violations.integer == 0)
    try checkScripts(rig.directory)
    try checkUnreachable(rig.directory)
  }

  // MARK: A real daemon

  private func checkExamples(_ rig: Rig) throws {
    let socket = rig.tap.path
    try expect("ask", "naïve ☎ 日本", at: socket, "Echo: naïve ☎ 日本\n")
    try expect("ask", input: "from standard input\n", at: socket, "Echo: from standard input\n")
    try expect("stream", "[[fault: pretty]] one two", at: socket, "Echo: one two\n")
    try expect("tools", "please call the tool now", at: socket, "Echo: 6 words\n")
    try expect("tools", "needs none", at: socket, "Echo: needs none\n")
    let ten = (1...10).map { "\($0): Echo: question \($0)\n" }.joined()
    try expect("parallel", "question", at: socket, ten)
    let odd =
      "Echo:ownown id, escapedescaped nameescaped valueleading space"
      + #"{"type":"response.completed"}nestedn😀"# + " \u{0} tail x\n"
    try expect("stream", "[[fault: odd after 5]] x", at: socket, odd)
    let before = try rig.simulator.statistics()
    let long = "[[fault: deltas 1000, gap 20]] a b c d"
    let cancelled = try run("cancel", long, at: socket)
    #expect(cancelled.end == .exited(130), "\(cancelled)")
    #expect(cancelled.output.hasPrefix("Echo: a b"), "\(cancelled)")
    #expect(cancelled.errors.contains("hotline: cancelled"), "\(cancelled)")
    let after = try rig.simulator.statistics()
    #expect(after.completed == before.completed)
    try expect("cancel", "x", at: socket, "Echo: x\n")
  }

  private func checkOutcomes(_ rig: Rig) throws {
    let socket = rig.tap.path
    try expect(
      "stream", "[[fault: failed]] x", at: socket, "Echo: x\n", status: 1,
      says: "failed: The simulated model failed as ordered.")
    try expect(
      "stream", "[[fault: incomplete]] x", at: socket, "Echo: x\n", status: 3, says: "incomplete")
    try expect(
      "stream", "[[fault: drop after 5]] x", at: socket, "Echo:\n", status: 75,
      says: "error: the connection to the server was lost")
    // The server's error: a last line follows. The daemon's refusal: none does.
    try expect(
      "ask", "[[fault: error odd_thing 400]]", at: socket, "\n", status: 1,
      says: "error: Ordered by the request.")
    let filling = String(repeating: "x", count: 3 << 20)
    try expect("ask", input: filling, at: socket, "\n", status: 1, says: "hotline: error: ")
    let worst = try run("parallel", "[[fault: incomplete]]", at: socket)
    #expect(worst.end == .exited(3), "\(worst)")
  }

  /// Who does not read while it writes would wait for ever, or be cut off.
  private func checkLongLines(_ rig: Rig) throws {
    let text = "[[fault: giant 1000000 after 4]] " + String(repeating: "y", count: 300_000)
    let ran = try run("parallel", input: text, at: rig.tap.path)
    #expect(ran.end == .exited(0), "\(ran.end): \(ran.errors)")
    let lines = ran.output.split(separator: "\n")
    #expect(lines.count == 10)
    for (index, line) in lines.enumerated() {
      #expect(line.hasPrefix("\(index + 1): Echo: yyyy"), "\(line.prefix(40))")
    }
  }

  // MARK: A scripted daemon

  /// What a client may meet one day: other lines' order, members and white space.
  private static let strange = """
    {"type":"hotline.queued","request_id":$ID,"position":1,"reason":"busy"}
    {"type":"hotline.status"}
    {"type":"response.output_text.delta","request_id":"another's","delta":"no"}
    {"type":"hotline.done","request_id":"another's","outcome":"failed"}
    {"request_id":$ID}
    {"request_id":$ID,"type":17,"delta":5,"hotline.done":true,"n":[1e999,{"type":"error"}]}
    {"request_id":$ID,"type":"tomorrow's","TYPE":"hotline.done","outcome":"failed"}
    {"type" : "response.output_text.delta" ,\r\t"request_id":$ID,"delta":"one\u{2028}é "}
    {"type":"response.output_text.delta","request_id":$ID,"delta":"tw\\u006f\\n"}
    {"type":"response.completed","request_id":$ID,"response":{"output":[],"usage":null}}
    {"type":"hotline.done","request_id":$ID,"outcome":"completed","usage":null,"events":5}

    """

  private func checkScripts(_ directory: TemporaryDirectory) throws {
    let strange = try ScriptedDaemon(in: directory, name: "strange", Self.strange)
    try expect("stream", "x", at: strange.path, "one\u{2028}é two\n\n")
    let delta = #"{"type":"response.output_text.delta","request_id":$ID,"delta":"half"}"# + "\n"
    let lost = try ScriptedDaemon(in: directory, name: "lost", delta + delta.dropLast(9))
    let ended = try run("stream", "x", at: lost.path)
    #expect(ended.end == .exited(69), "\(ended)")
    #expect(ended.output.trimmingCharacters(in: .newlines) == "half")
    #expect(ended.errors.contains("before the last line"), "\(ended)")
    let refusal = #"{"type":"error","request_id":null,"error":{"message":"Not you."},"#
    let accepted = #""hotline":{"accepted":false,"retryable":false,"sent":"no"}}"#
    let strict = try ScriptedDaemon(
      in: directory, name: "strict", refusal + accepted + "\n")
    let refused = try run("ask", "x", at: strict.path)
    #expect(refused.end == .exited(69), "\(refused)")
    #expect(refused.errors.contains("Not you."), "\(refused)")
  }

  private func checkUnreachable(_ directory: TemporaryDirectory) throws {
    let nobody = directory("nobody")
    for name in ["ask", "stream", "tools", "parallel", "cancel"] {
      let ran = try run(name, "x", at: nobody)
      #expect(ran.end == .exited(69), "\(name): \(ran)")
      #expect(ran.errors.contains("cannot reach hotlined at \(nobody)"), "\(name): \(ran)")
    }
    let ended = try UnixSocket.bind(directory("ended"))
    close(ended)
    #expect(try run("ask", "x", at: directory("ended")).end == .exited(69))
    let lost = try ChildProcess.run(program, ["ask", "x"])
    #expect(lost.end == .exited(69), "\(lost)")
    #expect(lost.errors.contains("HOTLINE_SOCKET"), "\(lost)")
    #expect(try ChildProcess.run(program, ["nonsense"]).end == .exited(2))
    // Where it is by default.
    let rig = try Rig()
    let found = try ChildProcess.run(
      program, ["ask", "x"], environment: ["XDG_RUNTIME_DIR": rig.directory.path])
    #expect(found.errors.contains("\(rig.directory.path)/hotline.sock"), "\(found)")
  }

  // MARK: Running it

  private typealias Ran = (end: ChildProcess.End, output: String, errors: String)

  private func run(
    _ name: String, _ text: String? = nil, input: String = "", at socket: String
  ) throws -> Ran {
    try ChildProcess.run(
      program, [name] + (text.map { [$0] } ?? []), input: input,
      environment: ["HOTLINE_SOCKET": socket, "XDG_RUNTIME_DIR": "/nowhere"])
  }

  private func expect(
    _ name: String, _ text: String? = nil, input: String = "", at socket: String,
    _ output: String, status: Int32 = 0, says message: String? = nil
  ) throws {
    let ran = try run(name, text, input: input, at: socket)
    let what = "\(program) \(name) \(text ?? "<"): \(ran.errors.prefix(500))"
    #expect(ran.end == .exited(status), "\(what)")
    #expect(ran.output == output, "\(what)")
    if let message {
      #expect(ran.errors.contains(message), "\(what)")
    } else {
      #expect(ran.errors.isEmpty, "\(what)")
    }
  }
}
