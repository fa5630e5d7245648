import TestSupport
import Testing

/// `hotlined --doctor` and `hotline doctor`.
@Suite(.serialized)
struct DoctorTests {
  private func run(
    _ configuration: String, in directory: TemporaryDirectory, program: String = "hotlined",
    flags: [String] = ["--doctor"], environment: [String: String] = [:]
  ) throws -> (status: ChildProcess.End, output: String) {
    let file = try directory.write("config.toml", configuration)
    let result = try ChildProcess.run(
      Requires.program(program), flags + ["--config", file],
      environment: DaemonProcess.environment(environment, in: directory))
    #expect(!result.output.contains("key-of-the-t"), "\(result.output)")
    #expect(!result.output.contains("hunter2"), "\(result.output)")
    return (result.end, result.output)
  }

  private func steps(_ output: String) throws -> [String: JSON] {
    let report = try JSON(parsing: Array(output.utf8))
    let all = report.steps.array + report.upstreams[0].steps.array
    return Dictionary(uniqueKeysWithValues: all.map { ($0.step.string ?? "", $0) })
  }

  @Test(arguments: ["hotlined", "hotline"])
  func everyStepHasItsTickAndItsTime(program: String) throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(in: directory)
    let result = try run(
      Rig.configuration(simulator), in: directory, program: program,
      flags: [program == "hotline" ? "doctor" : "--doctor"])
    #expect(result.status == .exited(0), "\(result.output)")
    for words in [
      "✓ configuration", "✓ key", "ends in ests", "✓ name", "127.0.0.1", "✓ tcp",
      "connected to 127.0.0.1 port \(simulator.port)", "✓ tls",
      "TLSv1.3", "days left", "/CN=localhost", "✓ resumption", "took up", "✓ upgrade", "✓ grace",
      "✓ ping", "All is well.",
    ] {
      #expect(result.output.contains(words), "\(words): \(result.output)")
    }
  }

  @Test func theSameIsToldToPrograms() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(in: directory)
    let result = try run(
      Rig.configuration(simulator), in: directory, flags: ["--doctor", "--json"])
    #expect(result.status == .exited(0))
    let steps = try steps(result.output)
    #expect(steps.values.allSatisfy { $0.outcome.string == "ok" }, "\(result.output)")
    for name in ["tcp", "tls", "upgrade", "grace", "ping"] {
      #expect(steps[name]?.ms.number ?? -1 >= 0, "\(name)")
    }
    #expect(steps["grace"]?.ms.number == 250)
  }

  @Test(arguments: [
    ("url = \"wss://127.0.0.1:1/\"", "tcp", "Connection refused"),
    ("url = \"wss://nothing.invalid/\"\nconnect_timeout = \"2s\"", "name", "nothing.invalid"),
    ("pin_sha256 = [\"Ko8tivDrEjiY90yGasP6ZpBU4jwXvHqVvQI0GS3GNdA=\"]", "tls", "pinned"),
    ("proxy = \"http://u:hunter2@127.0.0.1:1\"", "tcp", "cannot connect to the proxy"),
    ("ca_file_extra = \"/nowhere\"", "settings", "ca_file_extra"),
    ("api_key_file = \"/nowhere\"", "key", "api_key_file"),
  ])
  func theFirstStepThatFailsSaysWhyAndWhatMayHelp(
    line: String, step: String, words: String
  ) throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(in: directory)
    let url = line.contains("url =") ? "" : "url = \"\(simulator.url)\"\n"
    let result = try run(
      "default_upstream = \"sim\"\n[upstream.sim]\n\(url)"
        + "ca_file = \"\(simulator.caFile)\"\n\(line)\n",
      in: directory, flags: ["--doctor", "--json"])
    #expect(result.status == .exited(1))
    let failed = try #require(try steps(result.output)[step], "\(result.output)")
    #expect(failed.outcome.string == "failed", "\(result.output)")
    #expect(failed.detail.string?.contains(words) == true, "\(failed)")
    #expect(failed.remedy.string?.isEmpty == false)
    if step == "tls" || step == "tcp" {
      #expect(try steps(result.output)["ping"]?.outcome.string == "skipped")
    }
  }

  @Test(arguments: [
    (["--close-after-open", "4000"], "4000"),
    (["--error-after-open", "beta_api_shape_disabled"], "beta_api_shape_disabled"),
  ])
  func aServerThatTakesItsWordBackIsFoundInTheTimeOfGrace(flags: [String], words: String) throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(flags, in: directory)
    let result = try run(
      Rig.configuration(simulator), in: directory, flags: ["--doctor", "--json"])
    #expect(result.status == .exited(1))
    let steps = try steps(result.output)
    #expect(steps["upgrade"]?.outcome.string == "ok", "\(result.output)")
    #expect(steps["grace"]?.outcome.string == "failed", "\(result.output)")
    #expect(steps["grace"]?.detail.string?.contains(words) == true, "\(result.output)")
    #expect(steps["grace"]?.remedy.string?.contains("OpenAI-Beta") == true)
    #expect((0..<250).contains(steps["grace"]?.ms.number ?? -1), "\(result.output)")
    #expect(steps["ping"]?.outcome.string == "skipped")
  }

  @Test func aServerThatAnswersNoPingIsToldWithTheTimeThatWasWaited() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(["--no-pong"], in: directory)
    let result = try run(
      Rig.configuration(simulator, upstream: "pong_timeout = \"150ms\""), in: directory,
      flags: ["--doctor", "--json"])
    let ping = try #require(try steps(result.output)["ping"])
    #expect(ping.outcome.string == "failed", "\(result.output)")
    #expect(ping.ms.number ?? 0 >= 150, "\(result.output)")
  }

  @Test(Requires.tools("tinyproxy")) func aProxyIsAStepOfItsOwn() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(in: directory)
    let proxy = try ProxyProcess.http(isProtected: true)
    let url = proxy.url("http", password: ProxyProcess.password)
    let result = try run(
      Rig.configuration(simulator, upstream: "proxy = \"\(url)\""), in: directory)
    #expect(result.status == .exited(0), "\(result.output)")
    for words in ["connected to the proxy http://127.0.0.1:\(proxy.port)", "✓ proxy", "✓ tls"] {
      #expect(result.output.contains(words), "\(words): \(result.output)")
    }
  }

  @Test func aConfigurationThatIsWrongIsTold() throws {
    let result = try run("[upstream.sim]\ncolour = 1\n", in: TemporaryDirectory())
    #expect(result.status == .exited(1))
    #expect(result.output.contains("✗ configuration"), "\(result.output)")
    #expect(result.output.contains("upstream.sim.colour: unknown key"), "\(result.output)")
  }

  @Test func aRefusalSaysWhatToLookAt() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(["--upgrade-status", "401"], in: directory)
    let result = try run(Rig.configuration(simulator), in: directory)
    #expect(result.status == .exited(1))
    #expect(result.output.contains("✗ upgrade"), "\(result.output)")
    #expect(result.output.contains("check the key"), "\(result.output)")
    #expect(result.output.contains("- resumption"), "\(result.output)")
  }
}
