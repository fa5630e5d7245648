import NIOConcurrencyHelpers

/// Does one thing after the other on a thread of its own, which sleeps when there is nothing to do.
///
/// The thread starts with the first work and stays for as long as the program lives.
package final class SerialWorker: Sendable {
  package typealias Work = @Sendable () -> Void

  private let name: String
  /// True while there is work; guards what follows.
  private let bell = ConditionLock(value: false)
  nonisolated(unsafe) private var waiting: [Work] = []
  nonisolated(unsafe) private var hasThread = false

  /// - Parameter name: of its thread; at most 15 bytes.
  package init(name: String) {
    self.name = name
  }

  /// Has `work` done after all that came before; where the system has no thread left, at once.
  package func async(_ work: @escaping Work) {
    bell.lock()
    waiting.append(work)
    let isFirst = !hasThread
    hasThread = true
    bell.unlock(withValue: true)
    guard isFirst else { return }
    do {
      try DetachedThread.start(name) { [self] in
        while true {
          bell.lock(whenValue: true)
          unlockAndWork()
        }
      }
    } catch {
      bell.lock()
      hasThread = false
      unlockAndWork()
    }
  }

  /// Waits until all that has come is done.
  package func wait() {
    let done = ConditionLock(value: false)
    async {
      done.lock()
      done.unlock(withValue: true)
    }
    done.lock(whenValue: true)
    done.unlock()
  }

  /// Does what has come; the caller holds the lock.
  private func unlockAndWork() {
    let work = waiting
    waiting = []
    bell.unlock(withValue: false)
    for work in work { work() }
  }
}
