import Foundation
import TestSupport

/// An outage of the simulator, and how soon after it the daemon's pool was warm again.
///
/// Told by the simulator's own stamps: a test that looks comes late on a busy machine.
struct Recovery: CustomStringConvertible {
  /// The outages for which recovery is promised.
  static let outageMax = Duration.seconds(5)
  /// From the server's return until the whole pool is warm.
  static let tookMax = Duration.seconds(1)
  /// The same where the server goes on refusing and cutting at random while it recovers: each such
  /// fault may cost another half second.
  static let tookMaxAmidFaults = Duration.seconds(3)

  /// Nanoseconds of the monotonic clock, as the simulator's stamps are.
  static var now: Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }

  let away: Duration
  let took: Duration
  /// How much of it the machine kept daemon and server waiting for a processor: next to nothing
  /// on a machine that has one to spare, and no fault of theirs on another.
  let withheld: Duration

  var isPromised: Bool { away <= Self.outageMax }
  var isOnABusyMachine: Bool { withheld > .milliseconds(50) }
  var isInTime: Bool { took - withheld <= Self.tookMax }
  var isInTimeAmidFaults: Bool { took - withheld <= Self.tookMaxAmidFaults }

  var description: String {
    "\(away.inMilliseconds) → \(took.inMilliseconds) ms (\(withheld.inMilliseconds) withheld)"
  }
}

/// Watches the time after a server's return.
struct RecoveryWatch {
  private let simulator: SimulatorProcess
  private let awaySince: Int
  private let waits: [ProcessorWait]

  /// The server listens again.
  ///
  /// - Parameter awaySince: an instant before it went, as ``Recovery/now`` has them.
  init(_ simulator: SimulatorProcess, _ daemon: DaemonProcess, awaySince: Int) {
    self.simulator = simulator
    self.awaySince = awaySince
    waits = [simulator.process, daemon.process].map { ProcessorWait(of: $0.pid) }
  }

  /// Waits until so many connections have been open at once.
  func end(connections: Int) throws -> Recovery {
    let statistics = try simulator.waitForStatistics("\(connections) open") { statistics in
      statistics.openAfterNs.array.count >= connections
    }
    guard let since = statistics.listeningSinceNs.integer,
      let took = statistics.openAfterNs[connections - 1].integer
    else { throw TestFailure("the simulator has no stamps: \(statistics)") }
    return Recovery(
      away: .nanoseconds(since - awaySince), took: .nanoseconds(took),
      withheld: waits.map(\.passed).max() ?? .zero)
  }
}

/// Time for which a process could have run and the machine ran others (proc(5), `schedstat`).
private struct ProcessorWait {
  private let directory: String
  private let before: [String: Int]

  init(of process: Int32) {
    directory = "/proc/\(process)/task"
    before = Self.byThread(directory)
  }

  /// Since then; of several threads the one that waited longest counts. Zero where the kernel does
  /// not say.
  var passed: Duration {
    let longest = Self.byThread(directory).map { $1 - before[$0, default: 0] }.max()
    return .nanoseconds(longest ?? 0)
  }

  private static func byThread(_ directory: String) -> [String: Int] {
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return threads.reduce(into: [:]) { waits, thread in
      let path = "\(directory)/\(thread)/schedstat"
      // Nanoseconds on a processor, nanoseconds of waiting for one, and turns.
      let words = (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: " ")
      waits[thread] = words.flatMap { $0.count > 1 ? Int($0[1]) : nil }
    }
  }
}
