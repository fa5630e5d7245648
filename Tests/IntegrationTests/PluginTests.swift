import Foundation
import TestSupport
import Testing

/// The plugins of `contrib/plugins`, in the programs that they are for.
@Suite(.serialized)
struct PluginTests {
  private static let directory = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "contrib/plugins").path

  private typealias Ran = (end: ChildProcess.End, output: String, errors: String)

  // MARK: llm

  /// llm with the plugin as pip installs it, and a directory of its own.
  private func installLLM(in directory: TemporaryDirectory) throws -> [String: String] {
    // What pip builds beside the sources stays in the copy.
    try FileManager.default.copyItem(atPath: Self.directory + "/llm", toPath: directory("source"))
    let installed = try ChildProcess.run(
      Requires.python(),
      ["-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
        + ["--target", directory("lib"), directory("source")],
      environment: ["HOME": directory.path], within: .seconds(120))
    try #require(installed.end == .exited(0), "\(installed)")
    return [
      "PYTHONPATH": directory("lib"), "LLM_USER_PATH": directory("llm"), "HOME": directory.path,
    ]
  }

  private func llm(
    _ arguments: [String], _ environment: [String: String], socket: String
  ) throws -> Ran {
    try ChildProcess.run(
      Requires.python(), ["-m", "llm"] + arguments,
      environment: environment.merging(["HOTLINE_SOCKET": socket]) { $1 })
  }

  @Test(Requires.pythonPackages) func llmAsksThroughTheDaemon() throws {
    let rig = try Rig()
    let environment = try installLLM(in: rig.directory)
    let socket = rig.tap.path
    let asked = try llm(["-m", "hotline", "naïve ☎ question"], environment, socket: socket)
    #expect(asked.end == .exited(0), "\(asked)")
    #expect(asked.output == "Echo: naïve ☎ question\n")
    let whole = try llm(
      ["-m", "hotline", "--no-stream", "-s", "Be brief.", "-o", "model", "m"]
        + ["-o", "upstream", "sim", "-o", "tag", "notes", "-o", "batch", "1"]
        + ["not streamed"],
      environment, socket: socket)
    #expect(whole.output == "Echo: not streamed\n", "\(whole)")
    let failed = try llm(["-m", "hotline", "[[fault: failed]] x"], environment, socket: socket)
    #expect(failed.end == .exited(1))
    #expect(failed.errors.contains("Error: The simulated model failed as ordered."), "\(failed)")
    let wrong = try llm(["-m", "hotline", "-o", "upstream", "x", "y"], environment, socket: socket)
    #expect(wrong.errors.contains("no upstream \"x\" is configured; there are: sim"), "\(wrong)")
    let lost = try llm(["-m", "hotline", "x"], environment, socket: rig.directory("nobody"))
    #expect(lost.end == .exited(1))
    #expect(lost.errors.contains("cannot reach hotlined at \(rig.directory("nobody"))"), "\(lost)")
  }

  /// The second question brings the first and its answer along.
  @Test(Requires.pythonPackages) func llmKeepsAConversation() throws {
    let rig = try Rig()
    let environment = try installLLM(in: rig.directory)
    let first = try llm(["-m", "hotline", "first"], environment, socket: rig.tap.path)
    #expect(first.output == "Echo: first\n", "\(first)")
    let next = #"{"type":"hotline.done","request_id":$ID,"outcome":"completed","usage":null}"#
    let daemon = try ScriptedDaemon(in: rig.directory, name: "scripted", next + "\n")
    let second = try llm(["-c", "second"], environment, socket: daemon.path)
    #expect(second.end == .exited(0), "\(second)")
    let input = try #require(daemon.request).response.input.array
    #expect(input.map(\.role.string) == ["user", "assistant", "user"])
    #expect(
      input.map { $0.content[0].text.string } == ["first", "Echo: first", "second"])
  }

  @Test(Requires.pythonPackages) func llmStreamsAndIsCancelledByAnInterrupt() throws {
    let rig = try Rig()
    let environment = try installLLM(in: rig.directory)
    let process = try ChildProcess(
      Requires.python(), ["-u", "-m", "llm", "-m", "hotline", "[[fault: deltas 1000, gap 20]] a"],
      environment: environment.merging(["HOTLINE_SOCKET": rig.tap.path]) { $1 })
    // It would read on there for more of the question.
    process.closeInput()
    _ = try process.standardOutput.wait(for: "the first words") { bytes in
      String(decoding: bytes, as: UTF8.self).contains("Echo: a") ? true : nil
    }
    process.send(SIGINT)
    #expect(try process.waitForEnd() != .exited(0))
    try rig.daemon.waitForStatus("nothing runs") { $0.busyConnections.isEmpty }
    #expect(try rig.simulator.statistics().completed.integer == 0)
  }

  // MARK: Vim

  private static let vim = Requires.part(
    "Vim with channels", shownBy: "vim", "-Nu", "NONE", "-es", "-c",
    "if has('channel') && has('vim9script') | qa! | else | cq | endif")

  /// Runs lines of Vim's in a buffer with "first" and "last".
  ///
  /// - Returns: the buffer in the end, and what was said.
  private func edit(
    _ script: [String], socket: String, in directory: TemporaryDirectory
  ) throws -> (buffer: [String], messages: String) {
    let lines =
      [
        "set runtimepath^=\(Self.directory)/vim", "runtime plugin/hotline.vim",
        "let g:hotline_socket = '\(socket)'", "call setline(1, ['first', 'last'])", "1",
        "func Wait()", "while hotline#IsRunning()", "sleep 5m", "endwhile", "endfunc",
      ] + script + [
        "call writefile(getline(1, '$'), '\(directory("buffer"))')",
        "call writefile([execute('messages')], '\(directory("messages"))')", "qa!",
      ]
    let file = try directory.write("script.vim", lines.joined(separator: "\n") + "\n")
    let ran = try ChildProcess.run(
      Requires.tool("vim"), ["-Nu", "NONE", "-i", "NONE", "-n", "-es", "-S", file],
      environment: ["HOME": directory.path, "TERM": "dumb"])
    try #require(ran.end == .exited(0), "\(ran)")
    let buffer = try String(contentsOfFile: directory("buffer"), encoding: .utf8)
    return (
      buffer.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init),
      try String(contentsOfFile: directory("messages"), encoding: .utf8)
    )
  }

  @Test(Self.vim) func vimStreamsAnAnswerBelowTheQuestion() throws {
    let rig = try Rig()
    let asked = try edit(
      ["Hotline naïve ☎ question", "call append(0, 'above')", "call Wait()"],
      socket: rig.tap.path, in: rig.directory)
    #expect(asked.buffer == ["above", "first", "Echo: naïve ☎ question", "last"], "\(asked)")
    let ranged = try edit(
      ["let g:hotline_model = 'm'", "1,2Hotline Explain", "call Wait()"],
      socket: rig.tap.path, in: rig.directory)
    #expect(ranged.buffer == ["first", "last", "Echo: Explain first last"], "\(ranged)")
    let lines = #"{"request_id":$ID,"type":"response.output_text.delta","delta":"one\ntwo"}"# + "\n"
    let done = #"{"type":"hotline.done","request_id":$ID,"outcome":"completed"}"# + "\n"
    let daemon = try ScriptedDaemon(in: rig.directory, name: "scripted", lines + lines + done)
    let several = try edit(
      ["Hotline x", "call Wait()"], socket: daemon.path, in: rig.directory)
    #expect(several.buffer == ["first", "one", "twoone", "two", "last"], "\(several)")
  }

  @Test(Self.vim) func vimKeepsAConversationForEachBuffer() throws {
    let rig = try Rig()
    let done = #"{"type":"hotline.done","request_id":$ID,"outcome":"completed"}"# + "\n"
    let daemon = try ScriptedDaemon(in: rig.directory, name: "scripted", done)
    let asked = try edit(
      [
        "Hotline one", "call Wait()", "let g:hotline_socket = '\(daemon.path)'", "Hotline two",
        "call Wait()",
      ], socket: rig.tap.path, in: rig.directory)
    #expect(asked.buffer.contains("Echo: one"), "\(asked)")
    let input = try #require(daemon.request).response.input.array
    #expect(input.map { $0.content[0].text.string } == ["one", "Echo: one", "two"])
    let other = try ScriptedDaemon(in: rig.directory, name: "other", done)
    _ = try edit(
      [
        "Hotline one", "call Wait()", "HotlineForget", "let g:hotline_socket = '\(other.path)'",
        "Hotline two", "call Wait()",
      ], socket: rig.tap.path, in: rig.directory)
    #expect(try #require(other.request).response.input.array.count == 1)
  }

  @Test(Self.vim) func vimCancelsUpstream() throws {
    let rig = try Rig()
    let cancelled = try edit(
      [
        "Hotline [[fault: deltas 1000, gap 20]] a", "while getline(2) !~ 'Echo: a'", "sleep 5m",
        "endwhile", "Hotline b", "HotlineCancel", "call Wait()",
      ], socket: rig.tap.path, in: rig.directory)
    #expect(cancelled.buffer[1].hasPrefix("Echo: a"))
    #expect(cancelled.messages.contains("an answer is still coming"), "\(cancelled)")
    try rig.daemon.waitForStatus("nothing runs") { $0.busyConnections.isEmpty }
    #expect(try rig.simulator.statistics().completed.integer == 0)
  }

  @Test(Self.vim) func vimSaysWhatWentWrong() throws {
    let rig = try Rig()
    let failed = try edit(
      ["Hotline [[fault: failed]] x", "call Wait()"], socket: rig.tap.path, in: rig.directory)
    #expect(failed.messages.contains("hotline: The simulated model failed as ordered."))
    let lost = try edit(["Hotline x"], socket: rig.directory("nobody"), in: rig.directory)
    #expect(lost.messages.contains("cannot reach hotlined at \(rig.directory("nobody"))"))
    let empty = try edit(["Hotline"], socket: rig.tap.path, in: rig.directory)
    #expect(empty.messages.contains("nothing to ask"), "\(empty)")
    let refusal = #"{"type":"error","request_id":null,"error":{"message":"Not you."},"#
    let rest = #""hotline":{"accepted":false,"retryable":false,"sent":"no"}}"# + "\n"
    let strict = try ScriptedDaemon(in: rig.directory, name: "strict", refusal + rest)
    let refused = try edit(["Hotline x", "call Wait()"], socket: strict.path, in: rig.directory)
    #expect(refused.messages.contains("hotline: Not you."), "\(refused)")
    let silent = try ScriptedDaemon(in: rig.directory, name: "silent", "")
    let gone = try edit(["Hotline x", "call Wait()"], socket: silent.path, in: rig.directory)
    #expect(gone.messages.contains("before the last line"), "\(gone)")
  }
}
