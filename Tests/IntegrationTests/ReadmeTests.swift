import Foundation
import TestSupport
import Testing

/// Every fenced block of README.md with a language, run as it stands there.
///
/// In a directory of its own, with a daemon, a simulated server and the user's own files; every
/// line to and from the daemon is judged. What would change the machine has stand-ins: `apt-get`,
/// `systemctl` and `crontab` note their arguments, `journalctl` prints a line,
/// `Packaging/build-deb` and `contrib/build` name what is built already, and `/usr/local` is a
/// directory of the test's.
/// The package is installed for real, and its socket enabled, by `Packaging/test-deb`; the two
/// scripts `contrib/demo` and `contrib/test` are what `.ci/run` runs.
@Suite(.serialized) struct ReadmeTests {
  @Test(Requires.tools("git", "jq", "python3", "socat", "vim"))
  func everyCommandRunsAsItStands() throws {
    let blocks = try ReadmeBlock.all()
    #expect(Set(blocks.map(\.language)) == ["", "console", "sh", "vim", "python"])
    let world = try ReadmeWorld()
    for block in blocks {
      switch block.language {
      case "": break  // Nobody types it: output.
      case "console": try world.replay(block)
      case "sh": try world.run(block)
      case "vim": try world.edit(block)
      case "python":
        #expect(try world.output("python3 - <<'END'\n\(block.text)\nEND").hasPrefix("Echo: "))
      default: Issue.record("nothing runs blocks of \(block.language): \(block.text)")
      }
    }
    try world.checkTraces()
    #expect(try world.rig.simulator.statistics().violations.integer == 0)
  }

  @Test func theCommandsInItsSentencesExist() throws {
    let named = try ReadmeBlock.file("README.md").matches(of: #/`(hotlined?) ([a-z-]+)[^`]*`/#)
    #expect(named.count > 8)
    for command in named {
      let ran = try ChildProcess.run(
        Requires.program(String(command.1)), [String(command.2), "--help"])
      #expect(ran.end == .exited(0), "\(command.0)")
    }
  }

  /// What the gate runs is what the README says.
  @Test func theTwoCommandsAreTheGates() throws {
    #expect(try ReadmeBlock.file(".ci/run").contains("contrib/test"))
    #expect(try ReadmeBlock.file("contrib/test").contains(" contrib/demo "))
    #expect(try ReadmeBlock.file("contrib/test").contains("Packaging/test-deb"))
  }
}

/// One fenced block.
struct ReadmeBlock {
  let language: String
  let text: String

  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  static func file(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  static func all() throws -> [ReadmeBlock] {
    // Between fences is every second part.
    try file("README.md").components(separatedBy: "\n```").enumerated().compactMap { index, part in
      guard !index.isMultiple(of: 2) else { return nil }
      let lines = part.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
      return ReadmeBlock(language: String(lines[0]), text: lines.count > 1 ? String(lines[1]) : "")
    }
  }
}

/// Where the commands run.
private struct ReadmeWorld {
  let rig: Rig
  private let tap: LineTap
  private var directory: TemporaryDirectory { rig.directory }

  init() throws {
    rig = try Rig(environment: ["HOTLINE_API_KEY": "key-of-the-tests"])
    tap = try LineTap(rig.daemon.socketPath, in: rig.directory, name: "hotline.sock")
    for name in ["bin", ".config/hotline", "standins", "usr/local/bin", "tree/contrib", "programs"]
    {
      try FileManager.default.createDirectory(
        atPath: directory(name), withIntermediateDirectories: true)
    }
    try directory.write(".config/hotline/config.toml", Rig.configuration(rig.simulator))
    for name in ["hotline", "hotlined"] {
      try FileManager.default.createSymbolicLink(
        atPath: directory("programs/\(name)"), withDestinationPath: Requires.program(name))
    }
    for name in ["apt-get", "systemctl", "crontab"] {
      let note = "echo \(name) \"$@\" >>\(directory("traces"))\n"
      try standIn("standins/\(name)", note + "[ \"$1\" != - ] || cat >\(directory("crontab"))\n")
    }
    try standIn("standins/journalctl", "echo 'a warning'\n")
    try standIn("tree/contrib/build", "echo \(directory("programs"))\n")
    try FileManager.default.createDirectory(
      atPath: directory("tree/Packaging"), withIntermediateDirectories: true)
    try standIn("tree/Packaging/build-deb", "echo hotline.deb\n")
    try FileManager.default.createSymbolicLink(
      atPath: directory("tree/Packaging/systemd"),
      withDestinationPath: ReadmeBlock.root.appending(path: "Packaging/systemd").path)
    try directory.write("tree/phrases.txt", "good day\nwell\n")
    _ = try output("git init -q && git add phrases.txt")
  }

  private func standIn(_ name: String, _ script: String) throws {
    try directory.write(name, "#!/bin/sh\n" + script, mode: 0o755)
  }

  private func bash(_ script: String, input: String = "") throws
    -> (end: ChildProcess.End, output: String, errors: String)
  {
    let path = ["standins", "programs"].map { directory($0) }.joined(separator: ":")
    let inherited = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    return try ChildProcess.run(
      "/bin/bash", ["-euo", "pipefail", "-c", "cd \(directory("tree"))\n\(script)"], input: input,
      environment: DaemonProcess.environment(
        [
          "PATH": "\(path):\(inherited)", "GIT_CONFIG_NOSYSTEM": "1", "TERM": "dumb",
          "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org",
          "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.org",
        ], in: directory))
  }

  func output(_ script: String, input: String = "") throws -> String {
    let ran = try bash(script, input: input)
    #expect(ran.end == .exited(0), "\(script)\n\(ran.output)\n\(ran.errors)")
    return ran.output
  }

  /// What a block prints, by words of it.
  private static let outputs = [
    "select(.type == \"response.output_text.delta\").delta": "Echo: What is WebSocket?",
    "git diff --staged | hotline ask \"Write": "Echo: Write a commit message for this.",
    "hotline send --jobs 8": "Echo: In German: good day\nEcho: In German: well\n",
    "hotline doctor": "✓ ping",
  ]

  func run(_ block: ReadmeBlock) throws {
    // The gate runs these two, and they run this.
    guard !block.text.hasPrefix("contrib/demo ") else { return }
    let script = block.text.replacing("/usr/local/bin/ ", with: "\(directory("usr/local/bin/")) ")
      .replacing(" /usr/local/bin/)", with: " \(directory("usr/local/bin/")))")
    let output = try output(script, input: "sk-a-key\n")
    for (words, expected) in Self.outputs where block.text.contains(words) {
      #expect(output.contains(expected), "\(block.text)\n\(output)")
    }
  }

  func edit(_ block: ReadmeBlock) throws {
    _ = try output(
      "printf 'teh\\n' >letter && vim -Nu NONE -n -es -c '\(block.text)' -c wq letter")
    #expect(try output("cat letter").hasPrefix("Echo: Correct the spelling."))
  }

  /// Runs what stands behind the prompts, and compares what follows, but for the numbers.
  func replay(_ block: ReadmeBlock) throws {
    for part in ("\n" + block.text).components(separatedBy: "\n$ ").dropFirst() {
      let lines = part.components(separatedBy: "\n")
      let more = lines.dropFirst().prefix { $0.hasPrefix(">") }
      let command = ([lines[0]] + more.map { String($0.dropFirst()) }).joined(separator: "\n")
      let recorded = lines.dropFirst(1 + more.count).joined(separator: "\n")
      let printed = try output("{ \(command)\n} 2>&1")
      #expect(Self.withoutNumbers(printed) == Self.withoutNumbers(recorded), "\(command)")
    }
  }

  /// Numbers with their units, and white space, for a terminal's is not a pipe's.
  private static func withoutNumbers(_ text: String) -> String {
    text.replacing(#/[0-9][0-9.]*(\ (ms|s|min|h|d)\b)?\s*/#, with: "#")
      .replacing(#/#+/#, with: "#").filter { !$0.isWhitespace }
  }

  /// What the commands left behind.
  func checkTraces() throws {
    let traces = try output("cat \(directory("traces"))").split(separator: "\n").map(String.init)
    // The two of crontab run at the same time.
    #expect(
      traces.sorted() == [
        "apt-get install hotline.deb", "crontab -", "crontab -l",
        "systemctl --user enable --now hotlined.socket",
      ])
    let units = try output("ls Packaging/systemd/user ~/.config/systemd/user")
    #expect(units.components(separatedBy: "hotlined.socket").count == 3)
    let service = try output("cat ~/.config/systemd/user/hotlined.service")
    #expect(service.contains("ExecStart=/usr/local/bin/hotlined"))
    #expect(try output("\(directory("usr/local/bin/hotline")) --version").isEmpty == false)
    #expect(try output("cat ~/.config/hotline/keys/sim") == "sk-a-key\n")
    #expect(
      try output("cat \(directory("crontab"))") == "0 7 * * * \(directory("bin/log-report"))\n")
    #expect(try output("~/bin/log-report").hasPrefix("Echo: What of this needs a person?"))
    _ = try output("GIT_EDITOR=true git commit -q && git log -1 --format=%B >message")
    #expect(try output("cat message").hasPrefix("Echo: Write a commit message."))
  }
}
