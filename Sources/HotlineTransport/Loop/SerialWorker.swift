import NIOConcurrencyHelpers

/// Does one thing after the other on a thread of its own, which sleeps when there is nothing to do.
///
/// The thread starts with the first work and stays for as long as the program lives.
package final class SerialWorker: Sendable {
  package typealias Work = @Sendable () -> Void

  private struct Inbox {
    var work: [Work] = []
    var hasThread = false
  }

  private let name: String
  private let inbox = NIOLockedValueBox(Inbox())
  /// True while there is work.
  private let bell = ConditionLock(value: false)

  /// - Parameter name: of its thread; at most 15 bytes.
  package init(name: String) {
    self.name = name
  }

  /// Has `work` done after all that came before; where the system has no thread left, at once.
  package func async(_ work: @escaping Work) {
    let isFirst = inbox.withLockedValue { inbox in
      inbox.work.append(work)
      defer { inbox.hasThread = true }
      return !inbox.hasThread
    }
    bell.lock()
    bell.unlock(withValue: true)
    guard isFirst else { return }
    do {
      try DetachedThread.start(name) { [self] in
        while true { doNext() }
      }
    } catch {
      inbox.withLockedValue { $0.hasThread = false }
      doNext()
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

  private func doNext() {
    bell.lock(whenValue: true)
    bell.unlock(withValue: false)
    let work = inbox.withLockedValue { inbox in
      defer { inbox.work = [] }
      return inbox.work
    }
    for work in work { work() }
  }
}
