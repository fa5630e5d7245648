import Foundation
import TestSupport
import Testing

/// What the daemon holds does not grow with what it has done.
@Suite(.serialized)
struct LeakTests {
  private static let threads = 4
  private static let growthKiBMax = 2048

  /// Rounds of one client for each thread, until there were `count`.
  private func play(
    _ count: Int, _ round: @escaping @Sendable (_ number: Int) throws -> Void
  ) async throws {
    try await Threads.run(count: Self.threads) { thread in
      for number in stride(from: thread, to: count, by: Self.threads) { try round(number) }
    }
  }

  private func rig() throws -> (Rig, atStart: ProcessSize) {
    let rig = try Rig(upstream: "connections_warm = 4\nconnections_max = 4")
    try rig.daemon.waitUntilWarm(4)
    return (rig, try ProcessSize(of: rig.daemon.process.pid))
  }

  /// Waits until nothing is left but warm connections and whoever asks for them; the threads that
  /// looked up names end some seconds after their last.
  private func settled(_ rig: Rig, _ start: ProcessSize) throws -> ProcessSize {
    try rig.daemon.waitForStatus("only warm connections and one client") { status in
      status.readyConnections.count == 4 && status.clients.array.count == 1
        && status.upstreams[0].connections.array.count == 4 && status.memory_bytes.integer == 0
    }
    return try poll(for: "no more descriptors than at the start, \(start)") {
      let size = try ProcessSize(of: rig.daemon.process.pid)
      return size.descriptors <= start.descriptors ? size : nil
    }
  }

  private static func threadNames(of process: Int32) throws -> [String] {
    let directory = "/proc/\(process)/task"
    return try FileManager.default.contentsOfDirectory(atPath: directory).compactMap { thread in
      let name = try? String(contentsOfFile: "\(directory)/\(thread)/comm", encoding: .utf8)
      return name?.trimmingCharacters(in: .newlines)
    }
  }

  /// One of a library's might wake the process for nothing, as Dispatch's do once a second.
  @Test func everyThreadIsKnown() throws {
    let (rig, _) = try rig()
    let answer = try rig.client().ask(request("x"))
    #expect(answer.done?.outcome.string == "completed", "\(answer)")
    rig.daemon.process.send(SIGHUP)
    try rig.daemon.process.standardError.waitForLine(containing: "configuration reloaded")
    // The first is the main one, the second waits for changes of the network.
    let known = ["hotline-disk", "hotline-loop", "hotlined", "hotlined"]
    let names = try poll(for: "no thread that looks up a name") {
      let names = try Self.threadNames(of: rig.daemon.process.pid).sorted()
      return names.contains("hotline-lookup") ? nil : names
    }
    #expect(names == known)
  }

  private func expectNoGrowth(_ cause: String, _ before: ProcessSize, _ after: ProcessSize) {
    print("\(cause): \(before) before, \(after) after")
    #expect(after.residentKiB - before.residentKiB < Self.growthKiBMax)
  }

  @Test func tenThousandLocalConnectionsLeaveNothingBehind() async throws {
    let (rig, start) = try rig()
    let socketPath = rig.daemon.socketPath
    let round: @Sendable (Int) throws -> Void = { number in
      let client = try LineClient(socketPath)
      let options = number.isMultiple(of: 4) ? nil : #""events":"final""#
      let lines = try client.ask(request("[[fault: deltas 2]] \(number)", options: options))
      guard lines.done?.outcome.string == "completed" else { throw TestFailure("\(lines)") }
      if number.isMultiple(of: 2) {
        client.shutDownWriting()
        guard try client.next() == nil else { throw TestFailure("a line after the last one") }
      }
    }
    try await play(1000, round)
    let before = try settled(rig, start)
    try await play(10_000, round)
    let after = try settled(rig, start)
    expectNoGrowth("10,000 local connections", before, after)
    #expect(try rig.simulator.statistics().completed.integer == 11_000)
  }

  /// Each request ends the connection that it is on: every other one in order and answered.
  private static let faults = [
    "drop", "reset", "truncate", "close 1000", "close 1011", "bad-frame rsv", "bad-frame masked",
    "invalid-utf8",
  ]

  @Test func tenThousandUpstreamConnectionsLeaveNothingBehind() async throws {
    let (rig, start) = try rig()
    let socketPath = rig.daemon.socketPath
    let round: @Sendable (Int) throws -> Void = { number in
      let client = try LineClient(socketPath)
      let fault = Self.faults[number / 2 % Self.faults.count]
      let isGood = number.isMultiple(of: 2)
      let order = isGood ? "deltas 2, close 1000 after 10" : "\(fault) after 3"
      var lines: [Line]
      // A connection that has answered may get the next request before its close frame is read.
      repeat {
        lines = try client.ask(
          request("[[fault: \(order)]] \(number)", options: #""events":"final""#))
      } while lines.error?.hotline.sent.string == "unknown"
      guard lines.done?.outcome.string == (isGood ? "completed" : "error") else {
        throw TestFailure("\(order): \(lines)")
      }
    }
    // The second half of each is compressed.
    func play(_ count: Int) async throws {
      for terms in ["none", "on"] {
        try rig.simulator.command("set compression \(terms)")
        try await self.play(count / 2, round)
      }
    }
    // By then the allocator has what it wants for both kinds.
    try await play(2000)
    let before = try settled(rig, start)
    let earlier = try rig.simulator.statistics()
    try await play(10_000)
    // A name server that is slow does not have it collect threads.
    #expect(try ProcessSize(of: rig.daemon.process.pid).threads <= start.threads + 4)
    let after = try settled(rig, start)
    expectNoGrowth("10,000 upstream connections", before, after)
    let later = try rig.simulator.statistics()
    func more(_ count: (JSON) -> JSON) -> Int {
      (count(later).integer ?? 0) - (count(earlier).integer ?? 0)
    }
    #expect(more { $0.upgrades } >= 10_000)
    #expect(more { $0.compressedMessagesReceived } >= 4000)
    #expect(later.violations.integer == 0)
  }
}

/// What a process takes of the machine (proc(5)).
struct ProcessSize: CustomStringConvertible {
  let residentKiB: Int
  let threads: Int
  let descriptors: Int

  init(of pid: Int32) throws {
    let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    residentKiB = try Self.number("VmRSS", in: status)
    threads = try Self.number("Threads", in: status)
    descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
  }

  private static func number(_ name: String, in status: String) throws -> Int {
    let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
    let digits = line?.filter(\.isNumber) ?? ""
    guard let number = Int(digits) else { throw TestFailure("/proc has no \(name)") }
    return number
  }

  var description: String {
    "\(residentKiB) KiB resident, \(threads) threads, \(descriptors) descriptors"
  }
}
