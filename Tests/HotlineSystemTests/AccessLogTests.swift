import Dispatch
import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import HotlineSystem

@Suite struct AccessLogTests {
  let directory: TemporaryDirectory
  private let queue = DispatchQueue(label: "test")
  private let told = Told()

  private final class Told: Sendable {
    let problems = Mutex<[String]>([])
  }

  init() throws { directory = try TemporaryDirectory() }

  private func log(_ target: AccessLog.Target, journal: String? = nil) -> AccessLog {
    AccessLog(target, on: { [queue] in queue.async(execute: $0) }, journalSocket: journal) {
      [told] problem in
      told.problems.withLock { $0.append(problem) }
    }
  }

  private func text(_ path: String) -> String {
    queue.sync {}
    return (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
  }

  @Test func linesAreAppendedToAFileOfOnesOwn() throws {
    let path = try directory.write("log", "old\n")
    let log = log(.file(path))
    log.write(Array("one\n".utf8))
    log.write(Array("two\n".utf8))
    #expect(text(path) == "old\none\ntwo\n")
    let fresh = directory("fresh")
    self.log(.file(fresh)).write(Array("x\n".utf8))
    #expect(text(fresh) == "x\n")
    #expect(mode(of: fresh) == 0o600)
  }

  @Test func aFileThatWasMovedAwayIsMadeAgain() throws {
    let path = directory("log")
    let log = log(.file(path))
    log.write(Array("one\n".utf8))
    queue.sync {}
    #expect(rename(path, path + ".1") == 0)
    log.write(Array("two\n".utf8))
    queue.sync {}
    log.reopen()
    log.write(Array("three\n".utf8))
    #expect(text(path) == "three\n")
    #expect(text(path + ".1") == "one\ntwo\n")
  }

  @Test func whatCannotBeWrittenIsDroppedAndToldOnce() throws {
    let path = directory("missing/log")
    let log = log(.file(path))
    for _ in 1...3 {
      log.write(Array("x\n".utf8))
      queue.sync {}
    }
    let problems = told.problems.withLock { $0 }
    #expect(problems == ["cannot open \(path): No such file or directory"])
    #expect(mkdir(directory("missing"), 0o700) == 0)
    log.write(Array("y\n".utf8))
    #expect(text(path) == "y\n")
    log.reopen()
    #expect(rename(directory("missing"), directory("gone")) == 0)
    log.write(Array("z\n".utf8))
    queue.sync {}
    #expect(told.problems.withLock { $0.count } == 2)
  }

  @Test func moreThanTheDiskTakesIsDropped() throws {
    let path = directory("log")
    let log = log(.file(path))
    let gate = DispatchSemaphore(value: 0)
    queue.async { gate.wait() }
    let line = Array(String(repeating: "x", count: (1 << 20) - 1).utf8) + [0x0A]
    for _ in 1...6 { log.write(line) }
    gate.signal()
    #expect(text(path).utf8.count == 4 << 20)
    log.write(Array("y\n".utf8))
    #expect(text(path).hasSuffix("\ny\n"))
  }

  @Test func theJournalGetsAnEntryForEachLine() throws {
    let path = directory("journal")
    let journal = boundSocket(path, SOCK_DGRAM)
    defer { close(journal) }
    log(.journal, journal: path).write(Array("{\"a\":1}\n{\"b\":2}\n".utf8))
    queue.sync {}
    let head = "PRIORITY=6\nSYSLOG_IDENTIFIER=hotlined\nHOTLINE_ACCESS=1\nMESSAGE="
    #expect(readAll(journal) == head + "{\"a\":1}\n")
    #expect(readAll(journal) == head + "{\"b\":2}\n")
    log(.journal, journal: directory("nobody")).write([0x78, 0x0A])
    queue.sync {}
    #expect(told.problems.withLock { $0.count } == 1)
  }
}
