import Foundation
import TestSupport
import Testing

/// The service manager's side: passed sockets and notifications.
@Suite(.serialized, Requires.tools("systemd-socket-activate"))
struct ServiceManagerTests {
  @Test func aPassedSocketIsServedAndTheManagerToldAllAlong() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(in: directory)
    let file = try directory.write("config.toml", Rig.configuration(simulator))
    let notifications = try NotifySocket(directory("notify"))
    let socket = directory("activated")
    let environment = DaemonProcess.environment(
      ["NOTIFY_SOCKET": directory("notify")], in: directory)
    let process = try ChildProcess(
      Requires.tool("systemd-socket-activate"),
      ["--listen=\(socket)"] + passingOn(environment)
        + [Requires.program("hotlined"), "--config", file],
      environment: environment)
    try process.standardError.waitForLine(containing: "Listening on")
    // The daemon starts with the first client, whose line waits for it.
    let client = try LineClient(socket)
    let lines = try client.ask(request("x"))
    #expect(lines.done?.outcome.string == "completed")
    let ready = try notifications.next { $0.contains("READY=1") }
    #expect(ready.contains { $0.hasPrefix("STATUS=") })
    _ = try notifications.next { lines in
      lines.contains { $0.hasPrefix("STATUS=") && !$0.hasPrefix("STATUS=0 warm") }
    }
    try client.send(request("[[fault: delay 1000]] y", id: "last"))
    _ = try LineClient(socket).answer(to: #"{"type":"hotline.ping"}"#)
    process.send(SIGTERM)
    _ = try notifications.next { $0.contains("STOPPING=1") }
    _ = try notifications.next { $0 == ["EXTEND_TIMEOUT_USEC=15000000"] }
    _ = try notifications.next { $0 == ["STATUS=finishing 1 accepted request"] }
    let last = try client.linesToEnd()
    #expect(last.done?.outcome.string == "completed", "\(last)")
    #expect(try process.waitForEnd() == .exited(0))
    var status = stat()
    #expect(lstat(socket, &status) == 0, "a passed socket belongs to who passed it")
  }

  @Test func theManagerIsToldOfASocketOfItsOwnToo() throws {
    let directory = try TemporaryDirectory()
    let notifications = try NotifySocket(directory("notify"))
    let simulator = try SimulatorProcess(in: directory)
    let daemon = try DaemonProcess(
      Rig.configuration(simulator), in: directory,
      environment: ["NOTIFY_SOCKET": directory("notify")])
    _ = try notifications.next { $0.contains("READY=1") }
    daemon.process.send(SIGHUP)
    let reloading = try notifications.next { $0.contains("RELOADING=1") }
    #expect(reloading.contains { $0.hasPrefix("MONOTONIC_USEC=") })
    _ = try notifications.next { $0.contains("READY=1") }
    try daemon.client().send(#"{"type":"hotline.drain"}"#)
    _ = try notifications.next { lines in
      lines.contains { $0.hasPrefix("STATUS=draining: ") }
    }
    daemon.process.send(SIGTERM)
    _ = try notifications.next { $0.contains("STOPPING=1") }
    #expect(try daemon.process.waitForEnd() == .exited(0))
  }
}

/// For `systemd-socket-activate`, which passes on nothing of its environment but what it is told;
/// a sanitizer's variables are in the environment of all programs.
private func passingOn(_ environment: [String: String]) -> [String] {
  let sanitizers = ["ASAN_OPTIONS", "TSAN_OPTIONS"].filter { (name: String) in getenv(name) != nil }
  return (environment.keys + sanitizers).flatMap { ["-E", $0] }
}

/// What an activated daemon does with those who wait for it.
@Suite(.serialized, Requires.tools("systemd-socket-activate"))
struct ActivationTests {
  private func activate(
    _ directory: TemporaryDirectory, _ environment: [String: String] = [:]
  ) throws -> ChildProcess {
    let all = DaemonProcess.environment(environment, in: directory)
    let process = try ChildProcess(
      Requires.tool("systemd-socket-activate"),
      ["--listen=\(directory("s"))"] + passingOn(all)
        + [Requires.program("hotlined"), "--config", directory("config.toml")],
      environment: all)
    try process.standardError.waitForLine(containing: "Listening on")
    return process
  }

  @Test func withoutAKeyThoseWhoWaitAreToldAndServedOnceThereIsOne() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(["--key", "the-key"], in: directory)
    let key = directory("key")
    try directory.write(
      "config.toml", Rig.configuration(simulator, upstream: "api_key_file = \"\(key)\""))
    let notifications = try NotifySocket(directory("notify"))
    let process = try activate(
      directory, ["HOTLINE_API_KEY": "", "NOTIFY_SOCKET": directory("notify")])
    for _ in 0..<3 {
      let lines = try LineClient(directory("s"), keeping: process).linesToEnd()
      #expect(lines.map(\.code) == ["not_configured"], "\(lines)")
      let message = lines.first?.error.message.string ?? ""
      #expect(message.contains("upstream.sim.api_key_file: there is no such file"), "\(message)")
    }
    _ = try notifications.next { lines in
      lines.contains { $0.hasPrefix("STATUS=cannot start: upstream.sim.api_key_file") }
    }
    let asked = try ChildProcess.run(
      Requires.program("hotline"), ["ping"], environment: ["HOTLINE_SOCKET": directory("s")])
    #expect(asked.end == .exited(78), "\(asked)")
    #expect(asked.errors.hasPrefix("hotline: not_configured: hotlined cannot start: "))
    try directory.write("key", "the-key\n")
    let lines = try LineClient(directory("s"), keeping: process).ask(request("x"))
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    _ = try notifications.next { $0.contains("READY=1") }
    #expect(try process.terminate() == .exited(0))
  }

  @Test func withoutAKeyAndWithoutAClientItEnds() throws {
    let directory = try TemporaryDirectory()
    try directory.write("config.toml", "colour = 1")
    let process = try activate(directory)
    // It hangs up before it is told anything, and nobody comes after it.
    _ = try LineClient(directory("s")).linesToEnd()
    #expect(try process.waitForEnd() == .exited(78))
    #expect(process.standardError.text.contains("hotlined: colour: unknown key"))
  }

  @Test func whoIsIdleLeavesAndOthersDoNot() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(in: directory)
    try directory.write(
      "config.toml",
      Rig.configuration(simulator, sections: "[socket]\nexit_when_idle = \"1s\""))
    let process = try activate(directory)
    let client = try LineClient(directory("s"), keeping: process)
    // Longer than the time, but not idle.
    let lines = try client.ask(request("[[fault: delay 1500]] x"))
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    try client.send(request("[[fault: delay 1500]] y", options: #""on_hangup":"finish""#))
    try poll(for: "the request") { try simulator.statistics().requests.integer == 2 ? () : nil }
    client.close()
    try simulator.waitForStatistics("its end") { $0.completed.integer == 2 }
    #expect(try process.waitForEnd() == .exited(0))
    #expect(process.standardError.text.contains("nobody was here for a while"))
    let again = try activate(directory)
    let next = try LineClient(directory("s"), keeping: again)
    #expect(try next.answer(to: #"{"type":"hotline.ping"}"#).kind == "hotline.pong")
  }
}

/// The socket that a service manager reads notifications from (sd_notify(3)).
private final class NotifySocket {
  private let descriptor: Int32
  private var seen: [[String]] = []

  init(_ path: String) throws {
    let made = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard UnixAddress.with(path, { bind(made, $0, $1) }) == 0 else {
      close(made)
      throw TestFailure("cannot bind \(path)")
    }
    descriptor = made
  }

  deinit { close(descriptor) }

  /// The next notification that is wanted, line by line.
  func next(_ isWanted: ([String]) -> Bool) throws -> [String] {
    do {
      return try look(isWanted)
    } catch {
      throw TestFailure("\(error); so far: \(seen)")
    }
  }

  private func look(_ isWanted: ([String]) -> Bool) throws -> [String] {
    try poll(for: "a notification") {
      var bytes = [UInt8](repeating: 0, count: 8192)
      while true {
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        guard count > 0 else { return nil }
        let lines = String(decoding: bytes[..<count], as: UTF8.self)
          .split(separator: "\n").map(String.init)
        seen.append(lines)
        if isWanted(lines) { return lines }
      }
    }
  }
}
