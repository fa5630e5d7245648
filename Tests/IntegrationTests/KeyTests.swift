import Foundation
import TestSupport
import Testing

/// `hotline key set`, and what becomes of keys in a running daemon.
@Suite(.serialized) struct KeyTests {
  private func set(
    _ key: String, in directory: TemporaryDirectory, _ arguments: [String] = [],
    socket: String = "/nonexistent/s"
  ) throws -> (end: ChildProcess.End, output: String, errors: String) {
    try ChildProcess.run(
      Requires.program("hotline"), ["key", "set"] + arguments, input: key,
      environment: ["HOME": directory.path, "HOTLINE_SOCKET": socket])
  }

  private func mode(_ path: String) -> mode_t {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
  }

  @Test func aKeyIsStoredAndARunningDaemonReadsIt() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(["--key", "first"], in: directory)
    try FileManager.default.createDirectory(
      atPath: directory(".config/hotline"), withIntermediateDirectories: true)
    try directory.write(".config/hotline/config.toml", Rig.configuration(simulator))
    let first = try set("first\n", in: directory)
    let path = directory(".config/hotline/keys/sim")
    #expect(first.end == .exited(0) && first.output == "", "\(first)")
    #expect(first.errors == "hotlined: the key of sim is in \(path)\n")
    #expect(mode(path) == 0o600)
    let process = try ChildProcess(
      Requires.program("hotlined"), ["--socket", directory("s")],
      environment: DaemonProcess.environment(["HOTLINE_API_KEY": ""], in: directory))
    let daemon = try DaemonProcess(process, socketPath: directory("s"))
    try daemon.waitUntilWarm()
    try simulator.command("set key second")
    let second = try set("second", in: directory, socket: daemon.socketPath)
    #expect(second.end == .exited(0), "\(second)")
    let lines = try daemon.client().ask(request("x"))
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    #expect(lines.done?.connection.integer != 1)
    for text in [daemon.log, second.errors] {
      #expect(!text.contains("second\n") && !text.contains("first"), "\(text)")
    }
  }

  /// As a user of its own, for to root every process's files are root's.
  @Test(Requires.root, Requires.tools("setpriv"))
  func theKeyIsInLockedMemoryOfAProcessThatNobodyDumps() throws {
    let directory = try TemporaryDirectory()
    chown(directory.path, 65534, 65534)
    // Where that user can reach it.
    try FileManager.default.copyItem(
      atPath: Requires.program("hotlined"), toPath: directory("hotlined"))
    let process = try ChildProcess(
      Requires.tool("setpriv"),
      ["--reuid=65534", "--regid=65534", "--clear-groups", directory("hotlined")]
        + ["--socket", directory("s"), "--url", "ws://127.0.0.1:1/v1/realtime"],
      environment: DaemonProcess.environment(in: directory))
    _ = try DaemonProcess(process, socketPath: directory("s"))
    let files = "/proc/\(process.pid)"
    let status = try String(contentsOfFile: files + "/status", encoding: .utf8)
    let locked = status.split(separator: "\n").first { $0.hasPrefix("VmLck:") }
    #expect(locked?.split(whereSeparator: \.isWhitespace)[1] != "0", "\(status)")
    let limits = try String(contentsOfFile: files + "/limits", encoding: .utf8)
    let core = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
    #expect(core?.split(whereSeparator: \.isWhitespace)[4...5] == ["0", "0"], "\(limits)")
    // Those of a process that may be dumped are its user's (proc(5)).
    var memory = stat()
    #expect(lstat(files + "/mem", &memory) == 0)
    #expect(memory.st_uid == 0)
    #expect(try process.terminate() == .exited(0))
  }

  @Test func whatIsNoKeyChangesNothing() throws {
    let directory = try TemporaryDirectory()
    #expect(try set("good", in: directory).end == .exited(0))
    let bad = try set("two words", in: directory)
    #expect(bad.end == .exited(1))
    #expect(bad.errors.hasPrefix("hotlined: this is no key: white space"), "\(bad)")
    let path = directory(".config/hotline/keys/smartaipi")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "good\n")
    let nobody = try set("good", in: directory, ["--upstream", "nobody"])
    #expect(nobody.end == .exited(78))
    #expect(nobody.errors.contains("there is no upstream \"nobody\""), "\(nobody)")
    #expect(try set("good", in: directory, ["--colour"]).end == .exited(2))
  }

  /// In a terminal of its own, the program shows no key, and an interrupt leaves the terminal as it
  /// was.
  @Test(Requires.tools("python3"))
  func aTerminalDoesNotShowTheKey() throws {
    let directory = try TemporaryDirectory()
    let script = try directory.write(
      "terminal.py",
      """
      import os, pty, sys, termios
      def run(program, type):
          child, terminal = pty.fork()
          if child == 0:
              os.execv(program, [program, "key", "set"])
          shown = b""
          while b"not shown: " not in shown:
              shown += os.read(terminal, 1000)
          assert not termios.tcgetattr(terminal)[3] & termios.ECHO, "it is shown"
          os.write(terminal, type)
          try:
              while more := os.read(terminal, 1000):
                  shown += more
                  if b"^C" in shown or b"\\n" in shown: 
                      echo = termios.tcgetattr(terminal)[3] & termios.ECHO
          except OSError:
              pass
          return shown, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
      shown, status = run(sys.argv[1], b"sk-canary\\n")
      assert b"canary" not in shown and status == 0, (shown, status)
      shown, status = run(sys.argv[1], b"\\x03")
      assert status in (130, -2), (shown, status)
      """)
    let result = try ChildProcess.run(
      Requires.tool("python3"), [script, Requires.program("hotline")],
      environment: ["HOME": directory.path, "HOTLINE_SOCKET": "/nonexistent/s"])
    #expect(result.end == .exited(0), "\(result)")
    let path = directory(".config/hotline/keys/smartaipi")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "sk-canary\n")
  }

  @Test func aKeyFileThatIsGoneAtAReloadChangesNothing() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(["--key", "the-key"], in: directory)
    let key = try directory.write("key", "the-key\n")
    let daemon = try DaemonProcess(
      Rig.configuration(simulator, upstream: "api_key_file = \"\(key)\""), in: directory,
      environment: ["HOTLINE_API_KEY": ""])
    try daemon.waitUntilWarm()
    unlink(key)
    daemon.process.send(SIGHUP)
    let line = try daemon.process.standardError.waitForLine(
      containing: "configuration not reloaded: everything is as before")
    #expect(line.contains("upstream.sim.api_key_file: there is no such file"), "\(line)")
    let lines = try daemon.client().ask(request("x"))
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    #expect(lines.done?.connection.integer == 1)
  }

  @Test func theDaemonLeavesNoCoreDumpAndMayOpenWhatIsAllowed() throws {
    let rig = try Rig()
    let limits = try String(
      contentsOfFile: "/proc/\(rig.daemon.process.pid)/limits", encoding: .utf8)
    func values(_ name: String) -> [Substring] {
      let line = limits.split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
      return line.dropFirst(name.count).split(separator: " ").prefix(2).map { $0 }
    }
    #expect(values("Max core file size") == ["0", "0"])
    let open = values("Max open files")
    #expect(open.count == 2 && open[0] == open[1], "\(limits)")
  }
}
