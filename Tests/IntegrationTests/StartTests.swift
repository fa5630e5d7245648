import Foundation
import TestSupport
import Testing

/// Configuration, flags and keys, as the process that is started sees them.
struct StartTests {
  private func run(
    _ arguments: [String], in directory: TemporaryDirectory, environment: [String: String] = [:]
  ) throws -> (end: ChildProcess.End, output: String, errors: String) {
    try ChildProcess.run(
      Requires.program("hotlined"), arguments,
      environment: ["HOME": directory.path, "XDG_RUNTIME_DIR": directory.path]
        .merging(environment) { _, new in new })
  }

  @Test func allErrorsOfAConfigurationAreToldAtOnce() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write(
      "config.toml",
      """
      colour = 1
      [queue]
      wait_timeout = "soon"
      requests_max = 0
      [upstream.one]
      url = "http://example.org"
      password = "hunter2"
      lanes = 17
      """)
    let result = try run(
      ["--config", file], in: directory, environment: ["HOTLINE_API_KEY": "key"])
    #expect(result.end == .exited(78))
    #expect(result.output == "")
    for path in [
      "colour", "queue.wait_timeout", "queue.requests_max", "upstream.one.url",
      "upstream.one.password", "upstream.one.lanes",
    ] {
      #expect(result.errors.contains(path), "\(path) is missing in: \(result.errors)")
    }
    #expect(!result.errors.contains("hunter2"))
  }

  @Test func aMissingKeyAndAMissingAuthorityAreToldAtOnce() throws {
    let directory = try TemporaryDirectory()
    let result = try run(
      ["--ca-file", directory("no.pem"), "--api-key-file", directory("no.key"), "--check-config"],
      in: directory)
    #expect(result.end == .exited(78))
    #expect(result.errors.contains("--api-key-file"), "\(result.errors)")
    #expect(result.errors.contains("upstream.smartaipi.ca_file"), "\(result.errors)")
  }

  @Test func checkConfigTellsAndEnds() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("config.toml", "[queue]\nrequests_max = 7\n")
    let environment = ["HOTLINE_API_KEY": "key"]
    let good = try run(
      ["--config", file, "--check-config"], in: directory, environment: environment)
    #expect(good.end == .exited(0), "\(good)")
    let missing = try run(
      ["--config", directory("none.toml"), "--check-config"], in: directory,
      environment: environment)
    #expect(missing.end == .exited(78))
    #expect(missing.errors.contains("none.toml"))
    let wrong = try run(["--colour"], in: directory)
    #expect(wrong.end == .exited(64))
    let version = try run(["--version"], in: directory)
    #expect(version.end == .exited(0))
    #expect(version.output.hasPrefix("hotlined "))
  }

  @Test func withoutAKeyOneMessageNamesTheWays() throws {
    let directory = try TemporaryDirectory()
    let result = try run([], in: directory)
    #expect(result.end == .exited(78))
    for way in [
      "--api-key-file", "api_key_file", "hotline-api-key", "$HOTLINE_API_KEY", "hotline/keys/",
    ] {
      #expect(result.errors.contains(way), "\(way) is missing in: \(result.errors)")
    }
    #expect(result.errors.split(separator: "\n").count == 1)
  }

  @Test func aKeyFileThatOthersCanReadIsRefused() throws {
    let directory = try TemporaryDirectory()
    for mode in [0o640, 0o604, 0o660] as [mode_t] {
      let file = try directory.write("key", "canary-7d1f", mode: mode)
      let result = try run(["--api-key-file", file], in: directory)
      #expect(result.end == .exited(78))
      #expect(result.errors.contains("--api-key-file"))
      #expect(!result.errors.contains("canary-7d1f"))
    }
  }

  @Test func theFirstSourceThatIsSetGivesTheKey() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(in: directory)
    let keys = ["flag", "file", "credential", "environment", "home"]
    for name in ["flag", "file"] { try directory.write(name, "key-\(name)\n") }
    try FileManager.default.createDirectory(
      atPath: directory("x/hotline/keys"), withIntermediateDirectories: true)
    try directory.write("x/hotline/keys/sim", "key-home\n")
    try FileManager.default.createDirectory(
      atPath: directory("credentials"), withIntermediateDirectories: true)
    // systemd's credentials have their own protection.
    try directory.write("credentials/hotline-api-key", "key-credential", mode: 0o644)
    for (index, expected) in keys.enumerated() {
      let given = Set(keys[index...])
      try simulator.command("set key key-\(expected)")
      let line = given.contains("file") ? #"api_key_file = "\#(directory("file"))""# : ""
      let daemon = try DaemonProcess(
        Rig.configuration(simulator, upstream: line), in: directory,
        arguments: given.contains("flag") ? ["--api-key-file", directory("flag")] : [],
        environment: [
          "CREDENTIALS_DIRECTORY": given.contains("credential") ? directory("credentials") : "",
          "HOTLINE_API_KEY": given.contains("environment") ? "key-environment" : "",
          "XDG_CONFIG_HOME": directory("x"),
        ])
      let lines = try daemon.client().ask(request("x"))
      #expect(lines.done?.outcome.string == "completed", "\(expected): \(lines)")
      try daemon.process.terminate()
    }
    #expect(try simulator.statistics().refusedUpgrades.integer == 0)
  }

  @Test func noKeyGoesToAnotherUpstream() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(in: directory)
    let other = """
      [upstream.other]
      url = "\(simulator.url)"
      ca_file = "\(simulator.caFile)"
      """
    let file = try directory.write(
      "config.toml", Rig.configuration(simulator) + "\n" + other + "\n")
    let key = try directory.write("key", "key")
    let result = try run(
      ["--config", file, "--api-key-file", key], in: directory,
      environment: ["HOTLINE_API_KEY": "key"])
    #expect(result.end == .exited(78), "\(result)")
    #expect(result.errors.contains("upstream.other"))
    let daemon = try DaemonProcess(
      Rig.configuration(simulator) + "\n" + other + "\napi_key = \"none\"\n", in: directory)
    let options = #""upstream":"other""#
    let lines = try daemon.client().ask(request("x", options: options))
    #expect(lines.codes == ["upstream_auth"], "\(lines)")
    #expect(lines.done?.upstream.string == "other")
  }

  @Test func theKeyIsNowhereToBeSeen() throws {
    let canary = "canary-91c2b7e4f0"
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(["--key", "right", "--echo-key"], in: directory)
    let secret = "header-secret-55aa"
    let daemon = try DaemonProcess(
      Rig.configuration(simulator, upstream: "headers = { \"X-Team\" = \"\(secret)\" }"),
      in: directory, arguments: ["--log-level", "trace"],
      environment: ["HOTLINE_API_KEY": canary])
    let client = try daemon.client()
    let refused = try client.ask(request("x"))
    #expect(refused.codes == ["upstream_auth"])
    #expect(refused.first?.hotline.status.integer == 401)
    let status = try client.answer(to: #"{"type":"hotline.status"}"#)
    let shown = refused.map(\.text) + [status.text]
    try daemon.process.terminate()
    for text in shown + [daemon.log, daemon.process.standardOutput.text] {
      #expect(!text.contains(canary), "\(text)")
      #expect(!text.contains(secret), "\(text)")
    }
    #expect(shown.joined().contains("401"))
    // The canary was really sent, and said back.
    #expect(try simulator.statistics().refusedUpgrades.integer ?? 0 > 0)
  }

  @Test func promptsAreNeverLogged() throws {
    let rig = try Rig(arguments: ["--log-level", "trace"])
    let client = try rig.client()
    _ = try client.ask(request("prompt-canary-4411 [[fault: drop after 6]]"))
    _ = try client.answer(to: #"{"type":"prompt-canary-4411"}"#)
    _ = try client.answer(to: #"{"prompt-canary-4411"#)
    try rig.daemon.process.terminate()
    #expect(!rig.daemon.log.contains("prompt-canary-4411"))
  }

  @Test func flagsAndVariablesWithoutAFile() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(in: directory)
    let socket = directory("by-variable")
    let process = try ChildProcess(
      Requires.program("hotlined"), ["--url", simulator.url, "--ca-file", simulator.caFile],
      environment: DaemonProcess.environment(["HOTLINE_SOCKET": socket], in: directory))
    let daemon = try DaemonProcess(process, socketPath: socket)
    let lines = try daemon.client().ask(request("x"))
    #expect(lines.done?.outcome.string == "completed")
    #expect(lines.done?.upstream.string == "smartaipi")
  }
}
