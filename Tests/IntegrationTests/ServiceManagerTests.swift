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
    // It passes on nothing of its environment but what it is told to.
    let passed = ["HOME", "XDG_RUNTIME_DIR", "HOTLINE_API_KEY", "NOTIFY_SOCKET"].flatMap {
      ["-E", "\($0)=\(environment[$0] ?? "")"]
    }
    let process = try ChildProcess(
      Requires.tool("systemd-socket-activate"),
      ["--listen=\(socket)"] + passed + [Requires.program("hotlined"), "--config", file],
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
