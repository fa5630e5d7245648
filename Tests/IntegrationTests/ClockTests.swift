import Glibc
import TestSupport
import Testing

/// The machine's clock is set while the daemon runs, as libfaketime has it see.
struct ClockTests {
  @Test(Requires.tools("faketime"), arguments: [["-2h"], ["+3d"], ["+2h", "-26h", "+0"]])
  func aClockThatIsSetChangesNoDecision(settings: [String]) throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(in: directory)
    let clock = try directory.write("clock", "+0\n")
    let daemon = try start(Rig.configuration(simulator), clock: clock, in: directory)
    let before = try daemon.waitUntilWarm()
    let hourAtStart = try #require(hours(in: daemon.log).last)
    let client = try daemon.client()
    for setting in settings {
      // A request is on its way while it happens.
      try client.send(request("[[fault: deltas 20, gap 20]] x", id: setting))
      _ = try client.lines(upTo: "an event") { $0.kind == "response.output_text.delta" }
      try directory.write("clock", setting + "\n")
      let lines = try client.lines(upTo: "the last line") { $0.isDone }
      #expect(lines.done?.outcome.string == "completed", "\(setting): \(lines)")
      let total = lines.done?.timing_ms.total.number ?? .infinity
      #expect((0..<3_600_000).contains(total), "\(setting): \(total) ms")
    }
    let after = try daemon.waitUntilWarm()
    #expect((after.uptime_s.integer ?? .max) < 3600)
    let first = before.readyConnections[0]["number"].integer
    #expect(after.readyConnections.contains { $0["number"].integer == first })
    // It was seen: log lines have the wall clock's time.
    daemon.process.send(SIGUSR1)
    try daemon.process.standardError.waitForLine(containing: "status")
    if settings.last != "+0" { #expect(hours(in: daemon.log).last != hourAtStart) }
  }

  /// env(1) comes first: libfaketime sets a variable in the first program that loads it, and where
  /// that moves the environment, Swift 6.3 finds no arguments of the program.
  private func start(_ configuration: String, clock: String, in directory: TemporaryDirectory)
    throws -> DaemonProcess
  {
    let file = try directory.write("config.toml", configuration)
    let socket = directory("s")
    let process = try ChildProcess(
      "/usr/bin/env",
      [
        Requires.program("hotlined"), "--config", file, "--socket", socket, "--log-level", "info",
      ],
      environment: DaemonProcess.environment(
        [
          // The loader knows what $LIB is.
          "LD_PRELOAD": "/usr/$LIB/faketime/libfaketime.so.1", "FAKETIME_TIMESTAMP_FILE": clock,
          "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        ], in: directory))
    return try DaemonProcess(process, socketPath: socket)
  }

  /// The time of each log line, up to the hour.
  private func hours(in log: String) -> [Substring] {
    log.split(separator: "\n").map { $0.prefix(13) }
  }
}
