import Glibc
import HotlineCore
import HotlineSimulation

/// The program behind `contrib/simulate`, which says what it takes.
@main
enum Simulate {
  static func main() {
    do throws(Arguments.Complaint) {
      let arguments = try Arguments(Array(CommandLine.arguments.dropFirst()))
      SeedsAtWork.tellOnTrap()
      exit(try run(arguments) ? 0 : 1)
    } catch {
      say("\(error.text); see contrib/simulate --help")
      exit(2)
    }
  }

  /// - Returns: whether all is well.
  private static func run(_ arguments: Arguments) throws(Arguments.Complaint) -> Bool {
    switch arguments.work {
    case .words(let seed): try tell(seed, fault: arguments.fault)
    case .seeds where arguments.fault == nil: runSeeds(arguments.order)
    case .seeds, .faults: try hunt(arguments)
    }
  }

  private static func say(_ text: String) { write(text, to: 2) }
  private static func print(_ text: String) { write(text, to: 1) }

  /// At once and not through a buffer, so that nothing is missing should the broker trap.
  private static func write(_ text: String, to file: Int32) {
    Array((text + "\n").utf8).withUnsafeBufferPointer { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = Glibc.write(
          file, UnsafeBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count < 0, errno != EINTR { return }
        rest = rest.dropFirst(max(0, count))
      }
    }
  }

  // MARK: Many seeds

  private static func runSeeds(_ order: Farm.Order) -> Bool {
    let startedAt = secondsNow()
    var saidAt = startedAt
    var saidCount = 0
    let harvest = Farm(order).run { harvest in
      for failure in harvest.failures.dropFirst(saidCount) {
        say("seed \(failure.seed): \(failure.violation)")
      }
      saidCount = harvest.failures.count
      let now = secondsNow()
      guard now - saidAt >= 5 else { return }
      saidAt = now
      let failures = harvest.failures.count
      say(
        "\(harvest.totals.seeds) of \(order.seedsCount) seeds, \(harvest.totals.steps) steps, "
          + "\(Int(now - startedAt)) s" + (failures > 0 ? ", \(failures) failures" : ""))
    }
    for failure in harvest.failures.prefix(3) { print(failure.report + "\n") }
    let kinds = Dictionary(grouping: harvest.failures, by: \.kind)
    for (_, failures) in kinds.sorted(by: { $0.value.count > $1.value.count }) {
      let seeds = failures.prefix(8).map { "\($0.seed)" }.joined(separator: " ")
      print("\(failures.count) × \(failures[0].violation): contrib/simulate --seed \(seeds)")
    }
    let seconds = max(1, Int(secondsNow() - startedAt))
    print("\(harvest.totals), \(seconds) s, \(harvest.failures.count) failures")
    return harvest.failures.isEmpty
  }

  // MARK: One seed in words

  private static func tell(
    _ seed: UInt64, fault: String?
  ) throws(Arguments.Complaint) -> Bool {
    SeedsAtWork.note(seed, of: 0)
    let simulation = Simulation(seed: seed) { print($0) }
    try planted(fault) { simulation.run() }
    print("seed \(seed): \(simulation.violation ?? "every promise was kept")")
    return simulation.violation == nil
  }

  // MARK: Planted faults

  #if HOTLINE_PLANTED_FAULTS
    private static func planted(
      _ name: String?, _ run: () -> Void
    ) throws(Arguments.Complaint) {
      guard let name else { return run() }
      let fault = try fault(named: name)
      PlantedFault.$current.withValue(fault) { run() }
    }

    private static func fault(named name: String) throws(Arguments.Complaint) -> PlantedFault {
      guard let fault = PlantedFault.allCases.first(where: { "\($0)" == name }) else {
        let known = PlantedFault.allCases.map { "\($0)" }.joined(separator: ", ")
        throw Arguments.Complaint(text: "there is no fault \(name); known: \(known)")
      }
      return fault
    }

    private static func hunt(_ arguments: Arguments) throws(Arguments.Complaint) -> Bool {
      var faults = PlantedFault.allCases
      if let name = arguments.fault { faults = [try fault(named: name)] }
      let seedsMax = arguments.isSeedsCountGiven ? arguments.order.seedsCount : 1000
      let trails = FaultHunt.run(
        faults, seedsMax: seedsMax, workersCount: arguments.order.workersCount)
      for trail in trails {
        let found = trail.failure.map { "seed \($0.seed): \($0.violation)" }
        print("\(trail.fault): \(found ?? "survived \(seedsMax) seeds")")
      }
      let survivors = trails.filter { $0.failure == nil }
      print("\(trails.count - survivors.count) of \(trails.count) planted faults found")
      guard arguments.fault == nil else { return survivors.isEmpty }
      return try seedsAreNamedRightly() && survivors.isEmpty
    }

    private static func seedsAreNamedRightly() throws(Arguments.Complaint) -> Bool {
      var areRight = true
      for named in NamedSeed.all {
        let simulation = Simulation(seed: named.seed)
        try planted(named.fault) { simulation.run() }
        guard simulation.violation == nil else { continue }
        print("seed \(named.seed), a named one, does not find \(named.fault)")
        areRight = false
      }
      return areRight
    }
  #else
    private static func planted(
      _ name: String?, _ run: () -> Void
    ) throws(Arguments.Complaint) {
      guard name == nil else { throw Self.noFaults }
      run()
    }

    private static func hunt(_ arguments: Arguments) throws(Arguments.Complaint) -> Bool {
      throw Self.noFaults
    }

    private static let noFaults = Arguments.Complaint(
      text: "this build knows no faults; it needs -Xswiftc -DHOTLINE_PLANTED_FAULTS")
  #endif
}
