import Foundation
import TestSupport

/// Work that blocks, beside the pool of threads that runs the tests.
enum Threads {
  /// Runs a body on a thread of its own.
  static func run(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
      Thread.detachNewThread { done.resume(with: Result(catching: body)) }
    }
  }

  /// Runs bodies side by side and waits for all of them.
  ///
  /// - Throws: the first error.
  static func run(count: Int, _ body: @escaping @Sendable (Int) throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<count {
        group.addTask { try await run { try body(index) } }
      }
      try await group.waitForAll()
    }
  }
}
