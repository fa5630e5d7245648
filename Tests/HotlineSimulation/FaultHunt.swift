#if HOTLINE_PLANTED_FAULTS
  import HotlineCore
  import Synchronization

  /// The simulation is itself tested: each mistake that the core makes to order is to be found.
  package enum FaultHunt {
    package struct Trail: Sendable {
      package let fault: PlantedFault
      /// The first seed that found it; nil if it survived.
      package var failure: Failure?
    }

    /// Looks for each fault in the seeds from 1 on.
    package static func run(
      _ faults: [PlantedFault], seedsMax: Int, workersCount: Int = coresCount
    ) -> [Trail] {
      let next = Atomic(0)
      let trails = Mutex(faults.map { Trail(fault: $0) })
      onThreads(workersCount) { worker in
        while true {
          let index = next.add(1, ordering: .relaxed).oldValue
          guard index < faults.count else { return }
          let failure = find(faults[index], seedsMax: seedsMax, worker)
          trails.withLock { $0[index].failure = failure }
        }
      }
      return trails.withLock(\.self)
    }

    private static func find(_ fault: PlantedFault, seedsMax: Int, _ worker: Int) -> Failure? {
      PlantedFault.$current.withValue(fault) {
        for seed in 1...UInt64(seedsMax) {
          SeedsAtWork.note(seed, of: worker)
          let simulation = Simulation(seed: seed)
          simulation.run()
          if let violation = simulation.violation {
            return Failure(seed: seed, violation: violation)
          }
        }
        return nil
      }
    }
  }
#endif
