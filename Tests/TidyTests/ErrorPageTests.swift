import Foundation
import HotlineCore
import Testing

@Suite struct ErrorPageTests {
  @Test func everyCodeIsExplained() {
    for code in HotlineError.Code.allCases {
      let message: Comment = "explain \(code.rawValue) in ErrorPage+Explanations.swift"
      #expect(ErrorPage.explanations[code] != nil, message)
    }
  }

  @Test func explanationsAreSentences() {
    for (code, explanation) in ErrorPage.explanations {
      for text in [explanation.cause, explanation.remedy] {
        #expect(text.hasSuffix("."), "\(code.rawValue): \(text)")
        #expect(text.first?.isLetter == true, "\(code.rawValue): \(text)")
      }
    }
  }

  @Test func thePageIsTheOneThatTheCodesMake() throws {
    let file = SourceTree.root.appending(path: ErrorPage.path)
    if ProcessInfo.processInfo.environment["HOTLINE_UPDATE"] == "1" {
      try Data(ErrorPage.text.utf8).write(to: file)
    }
    let text = FileManager.default.contents(atPath: file.path).map {
      String(decoding: $0, as: UTF8.self)
    }
    let isCurrent = text == ErrorPage.text
    #expect(
      isCurrent, "HOTLINE_UPDATE=1 swift test --filter ErrorPageTests writes \(ErrorPage.path)")
  }
}
