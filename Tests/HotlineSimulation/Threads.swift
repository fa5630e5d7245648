import Glibc
import Synchronization

/// The processors that this process may use.
package var coresCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

/// Seconds of the monotonic clock: for progress and time limits, never for a run.
package func secondsNow() -> Double {
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}

/// Runs `work` on `count` threads, each with its index from 0, until all have returned; `watch` is
/// called on the caller's thread some times a second meanwhile.
package func onThreads(
  _ count: Int, watch: () -> Void = {}, _ work: @escaping @Sendable (Int) -> Void
) {
  let running = Running(count, work)
  for index in 0..<count {
    let box = Unmanaged.passRetained(Start(running: running, index: index))
    var thread = pthread_t()
    let failure = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        start.running.work(start.index)
        start.running.left.subtract(1, ordering: .releasing)
        return nil
      }, box.toOpaque())
    precondition(failure == 0, "a thread could not be started: \(failure)")
    pthread_detach(thread)
  }
  while running.left.load(ordering: .acquiring) > 0 {
    usleep(20_000)
    watch()
  }
}

private final class Running: Sendable {
  let left: Atomic<Int>
  let work: @Sendable (Int) -> Void

  init(_ count: Int, _ work: @escaping @Sendable (Int) -> Void) {
    left = Atomic(count)
    self.work = work
  }
}

private final class Start: Sendable {
  let running: Running
  let index: Int

  init(running: Running, index: Int) {
    self.running = running
    self.index = index
  }
}
