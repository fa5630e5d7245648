import Glibc
import NIOConcurrencyHelpers
import Testing

@testable import HotlineTransport

@Suite struct SerialWorkerTests {
  @Test func oneThingIsDoneAfterTheOther() {
    let worker = SerialWorker(name: "test-worker")
    let done = NIOLockedValueBox<[Int]>([])
    for number in 0..<1_000 {
      worker.async { done.withLockedValue { $0.append(number) } }
    }
    worker.wait()
    #expect(done.withLockedValue { $0 } == Array(0..<1_000))
  }

  @Test func itIsDoneOnAThreadOfItsOwnThatTakesNoSignals() {
    let worker = SerialWorker(name: "test-worker")
    let own = pthread_self()
    let found = NIOLockedValueBox<(isElsewhere: Bool, isBlocked: Bool)?>(nil)
    worker.async {
      let isBlocked = withUnsafeTemporaryAllocation(of: sigset_t.self, capacity: 1) { mask in
        pthread_sigmask(SIG_BLOCK, nil, mask.baseAddress)
        return mask.baseAddress.map { sigismember($0, SIGTERM) == 1 } ?? false
      }
      found.withLockedValue { $0 = (pthread_equal(pthread_self(), own) == 0, isBlocked) }
    }
    worker.wait()
    let result = found.withLockedValue { $0 }
    #expect(result?.isElsewhere == true)
    #expect(result?.isBlocked == true)
  }

  @Test func whatItIsAskedMeanwhileIsDoneAsWell() {
    let worker = SerialWorker(name: "test-worker")
    let count = NIOLockedValueBox(0)
    worker.async {
      for _ in 0..<10 { worker.async { count.withLockedValue { $0 += 1 } } }
    }
    worker.wait()
    worker.wait()
    #expect(count.withLockedValue { $0 } == 10)
  }
}
