import Glibc
import Logging
import TestSupport
import Testing

@testable import HotlineSystem

/// Entries with fields, JSON lines, and the limit on what repeats.
@Suite struct JournalTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func output(to descriptor: Int32, journal: String) -> LogOutput {
    var status = stat()
    fstat(descriptor, &status)
    return LogOutput(
      descriptor: descriptor, journalStream: "\(status.st_dev):\(status.st_ino)",
      journalSocket: journal)
  }

  private func logger(_ output: LogOutput, ids: [String: String] = [:]) -> Logger {
    Logger(label: "test") { _ in StandardErrorLog(output: output, messageIDs: ids) }
  }

  @Test func theJournalGetsFields() {
    let path = directory("journal")
    let journal = boundSocket(path, SOCK_DGRAM)
    let (read, write) = socketPair()
    defer { for each in [journal, read, write] { close(each) } }
    let id = "0123456789abcdef0123456789abcdef"
    logger(output(to: write, journal: path), ids: ["lost": id]).warning(
      "lost", metadata: ["upstream": "a b", "client_pid": "7", "Odd-näme": "x\nMESSAGE=y\u{1B}"])
    let lines = readAll(journal).split(separator: "\n").map(String.init)
    #expect(lines.count == 10, "\(lines)")
    for line in [
      "PRIORITY=4", "SYSLOG_IDENTIFIER=hotlined", "MESSAGE_ID=\(id)", "HOTLINE_UPSTREAM=a b",
      "HOTLINE_CLIENT_PID=7", "HOTLINE_ODD_N__ME=x\\x0AMESSAGE=y\\x1B",
      "CODE_FUNC=theJournalGetsFields()",
    ] {
      #expect(lines.contains(line), "\(line) is missing in \(lines)")
    }
    #expect(lines.first?.hasPrefix("MESSAGE=lost ") == true)
    #expect(lines.first?.contains("upstream=\"a b\"") == true)
    #expect(readAll(read) == "")
  }

  @Test func withoutAJournalTheLineGoesToStandardError() {
    let (read, write) = socketPair()
    defer { for each in [read, write] { close(each) } }
    logger(output(to: write, journal: directory("nobody"))).info("x")
    #expect(readAll(read) == "<6>x\n")
    // What is not connected to the journal is not for it.
    let path = directory("journal")
    let journal = boundSocket(path, SOCK_DGRAM)
    defer { close(journal) }
    logger(LogOutput(descriptor: write, journalStream: "1:1", journalSocket: path)).info("y")
    #expect(readAll(read).hasSuffix("Z info: y\n"))
    #expect(readAll(journal) == "")
  }

  @Test func aJournalThatDoesNotKeepUpLosesEntriesAndLearnsHowMany() {
    let path = directory("journal")
    let journal = boundSocket(path, SOCK_DGRAM)
    let (read, write) = socketPair()
    defer { for each in [journal, read, write] { close(each) } }
    let logger = logger(output(to: write, journal: path))
    for _ in 0..<2000 { logger.info("x") }
    var kept = 0
    while readAll(journal) != "" { kept += 1 }
    #expect(kept < 2000)
    logger.info("back")
    #expect(readAll(journal).contains("HOTLINE_LOG_LINES_DROPPED=\(2000 - kept)\n"))
    #expect(readAll(read) == "")
  }

  @Test func jsonIsOneObjectALine() throws {
    let (read, write) = socketPair()
    defer { for each in [read, write] { close(each) } }
    let logger = logger(LogOutput(descriptor: write, journalStream: nil, format: .json))
    logger.notice(
      "said \"no\" \\ \n", metadata: ["upstream": "é\u{0}\u{202E}", "level": "mine", "n": "1"])
    let object = try JSON(parsing: readAll(read))
    #expect(object.message.string == "said \"no\" \\ \\x0A")
    #expect(object.level.string == "notice")
    #expect(object.level_.string == "mine")
    #expect(object.upstream.string == "é\\x00\\xE2\\x80\\xAE")
    #expect(object.time.string?.hasSuffix("Z") == true)
    let long = String(repeating: "\"", count: 5000)
    logger.notice("long", metadata: ["a": "\(long)", "b": "\(long)", "c": "\(long)"])
    let line = readAll(read)
    #expect(line.utf8.count <= StandardErrorLog.lineBytesMax)
    #expect(try JSON(parsing: line).message.string == "long")
  }

  @Test func whatRepeatsIsCountedInstead() {
    var rule = RepeatLimit.Rule()
    rule.linesMax = 2
    rule.messagesMax = 2
    let limit = RepeatLimit(rule)
    func admits(_ message: String, _ upstream: String? = nil, at seconds: Int) -> Bool {
      limit.admits(message, upstream: upstream, at: .seconds(seconds)).isAdmitted
    }
    #expect(admits("a", "one", at: 0))
    #expect(admits("a", "one", at: 1))
    #expect(!admits("a", "one", at: 2))
    #expect(admits("a", "two", at: 2), "another upstream counts by itself")
    #expect(!admits("a", "one", at: 29))
    let next = limit.admits("a", upstream: "one", at: .seconds(30))
    #expect(next.isAdmitted)
    #expect(next.over == [.init(message: "a", upstream: "one", count: 2)])
    #expect(limit.admits("a", upstream: "one", at: .seconds(31)).over == [])
    for each in ["b", "c", "d"] { #expect(admits(each, at: 32), "\(each) is told apart or new") }
  }

  @Test func theLogTellsWhatWasLeftOut() {
    let (read, write) = socketPair()
    defer { for each in [read, write] { close(each) } }
    var rule = RepeatLimit.Rule()
    rule.linesMax = 1
    rule.interval = .zero
    let output = LogOutput(descriptor: write, journalStream: nil)
    let limited = Logger(label: "test") { _ in
      StandardErrorLog(output: output, repeats: RepeatLimit(rule))
    }
    // Every interval is over at once.
    for _ in 0..<3 { limited.info("x") }
    #expect(readAll(read).split(separator: "\n").count == 3)
    rule.interval = .seconds(3600)
    let strict = Logger(label: "test") { _ in
      StandardErrorLog(level: .debug, output: output, repeats: RepeatLimit(rule))
    }
    for _ in 0..<3 { strict.info("x") }
    for _ in 0..<3 { strict.debug("y") }
    #expect(readAll(read).split(separator: "\n").count == 4, "debug is never limited")
  }
}
