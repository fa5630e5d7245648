import Glibc
import Logging
import Testing

@testable import HotlineSystem

@Suite struct StandardErrorLogTests {
  private func logger(_ output: LogOutput, _ level: Logger.Level = .info) -> Logger {
    Logger(label: "test") { _ in StandardErrorLog(level: level, output: output) }
  }

  private func journal(_ descriptor: Int32) -> LogOutput {
    var status = stat()
    fstat(descriptor, &status)
    return LogOutput(descriptor: descriptor, journalStream: "\(status.st_dev):\(status.st_ino)")
  }

  @Test func theJournalGetsPriorities() {
    let (read, write) = socketPair()
    let logger = logger(journal(write), .trace)
    let levels: [(Logger.Level, String)] = [
      (.trace, "<7>"), (.debug, "<7>"), (.info, "<6>"), (.notice, "<5>"), (.warning, "<4>"),
      (.error, "<3>"), (.critical, "<2>"),
    ]
    for (level, prefix) in levels {
      logger.log(level: level, "connection lost", metadata: ["b": "two words", "a": "1"])
      #expect(readAll(read) == "\(prefix)connection lost a=1 b=\"two words\"\n")
    }
    close(read)
    close(write)
  }

  @Test func aTerminalGetsTimeAndLevel() {
    let (read, write) = socketPair()
    let logger = logger(LogOutput(descriptor: write, journalStream: "1:1"))
    logger.debug("not shown")
    logger.warning("x")
    let line = readAll(read)
    let pattern = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning: x\n/
    #expect(line.wholeMatch(of: pattern) != nil, "\(line)")
    close(read)
    close(write)
  }

  @Test func aLineStaysALine() {
    let (read, write) = socketPair()
    var logger = logger(journal(write))
    logger[metadataKey: "k\n"] = "v\n\"q\" \u{1B}[1m\u{9B}é"
    logger.info("a\r\nb\0", metadata: ["list": ["x\n", "y"], "none": ""])
    #expect(
      readAll(read) == "<6>a\\x0D\\x0Ab\\x00 k\\x0A=\"v\\x0A\\\"q\\\" \\x1B[1m\\xC2\\x9Bé\" "
        + "list=\"[\\\"x\\n\\\", \\\"y\\\"]\" none=\"\"\n")
    close(read)
    close(write)
  }

  @Test(arguments: 0..<8)
  func aLongLineIsCutBetweenCharacters(_ shift: Int) {
    let (read, write) = socketPair()
    let logger = logger(journal(write))
    logger.info("\(String(repeating: "x", count: shift))\(String(repeating: "é", count: 4096))")
    let line = readAll(read)
    #expect(line.utf8.count <= StandardErrorLog.lineBytesMax)
    #expect(line.utf8.count > StandardErrorLog.lineBytesMax - 4)
    #expect(line.hasSuffix("é…\n"))
    let fits = String(repeating: "x", count: StandardErrorLog.lineBytesMax - 4)
    logger.info("\(fits)")
    #expect(readAll(read) == "<6>\(fits)\n")
    close(read)
    close(write)
  }

  @Test(arguments: [true, false])
  func aStuckReaderLosesLinesAndLearnsHowMany(_ isSocket: Bool) {
    var ends: [Int32] = [-1, -1]
    if isSocket {
      (ends[0], ends[1]) = socketPair()
    } else {
      #expect(pipe(&ends) == 0)
    }
    let logger = logger(journal(ends[1]))
    let text = String(repeating: "x", count: 4000)
    for _ in 0..<1000 { logger.info("\(text)") }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    var lines = 0
    var ready = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
    while poll(&ready, 1, 0) == 1 {
      let count = read(ends[0], &bytes, bytes.count)
      lines += bytes[..<max(0, count)].count { $0 == 0x0A }
    }
    #expect(lines > 0)
    #expect(lines < 1000)
    logger.info("back")
    let count = max(0, read(ends[0], &bytes, bytes.count))
    #expect(
      String(decoding: bytes[..<count], as: UTF8.self)
        == "<6>back log_lines_dropped=\(1000 - lines)\n")
    close(ends[0])
    close(ends[1])
  }

  @Test func aFullDiskOrAClosedDescriptorIsSurvived() {
    let full = open("/dev/full", O_WRONLY)
    logger(LogOutput(descriptor: full, journalStream: nil)).info("x")
    close(full)
    logger(LogOutput(descriptor: -1, journalStream: nil)).info("x")
    let (left, right) = socketPair()
    close(right)
    logger(LogOutput(descriptor: left, journalStream: nil)).info("x")
    close(left)
  }

  @Test func textIsSanitised() {
    #expect(LogText.sanitized([0x61, 0xFF, 0xC3, 0xA9, 0xC3]) == "a\\xFFé\\xC3")
    #expect(LogText.sanitized([0xE2, 0x82, 0x41]) == "\\xE2\\x82A")
    #expect(LogText.sanitized([0xED, 0xA0, 0x80]) == "\\xED\\xA0\\x80")
    #expect(LogText.sanitized("plain \\ text") == "plain \\ text")
    #expect(LogText.sanitized("\u{7F}\u{85}") == "\\x7F\\xC2\\x85")
    #expect(LogText.excerpt("abcd", charactersMax: 4) == "abcd")
    #expect(LogText.excerpt("abcde", charactersMax: 4) == "abcd…")
    #expect(LogText.shellQuoted("/a b'c") == "'/a b'\\''c'")
    #expect(LogText.shellQuoted("/a-b_c.d") == "/a-b_c.d")
  }
}
