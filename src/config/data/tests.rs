use super::*;
use crate::template::json_text;

fn read(name: &str, bytes: &[u8], separator: Option<u8>) -> (Result<Data, DataError>, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    let mut canonical = Vec::new();
    let data = load(&folder.path().join(name), separator, &mut |piece| canonical.extend_from_slice(piece));
    (data, String::from_utf8(canonical).unwrap())
}

fn rows(name: &str, text: &str) -> Vec<String> {
    let data = read(name, text.as_bytes(), None).0.unwrap();
    (0..data.rows.len()).map(|row| json_text(&data.rows.get(row).unwrap())).collect()
}

fn wrong(name: &str, bytes: &[u8]) -> (String, String) {
    let error = read(name, bytes, None).0.unwrap_err();
    let message = error.to_string();
    let told = message.split_once("`: ").map_or(message.as_str(), |(_, told)| told);
    (told.to_owned(), error.hint().to_owned())
}

#[test]
fn csv_rows_are_mappings_of_their_columns() {
    assert_eq!(
        rows("a.csv", "email,id\na@b.c, 007\n\"x,y\",2\n"),
        [r#"{"email":"a@b.c","id":"007"}"#, r#"{"email":"x,y","id":"2"}"#]
    );
    // Line breaks of every kind, lines without anything, a mark of the byte order, quotes in quotes.
    assert_eq!(
        rows("a.csv", "\u{feff}a,b\r\n1,2\r\r\n\n\"say \"\"hi\"\"\n\",é"),
        [r#"{"a":"1","b":"2"}"#, r#"{"a":"say \"hi\"\n","b":"é"}"#]
    );
    assert_eq!(rows("a.csv", "a\n\"\"\n  x y  \n"), [r#"{"a":""}"#, r#"{"a":"x y"}"#]);
    // White space of every kind, and no cell that is taken for a part of another.
    assert_eq!(
        rows("a.csv", "ä,b\n\u{a0}é\u{2003},\u{b}y\u{c}\n\"\",\"\"\"\"\n\"é,\"\"ü\"\"\",ö"),
        [r#"{"ä":"é","b":"y"}"#, r#"{"ä":"","b":"\""}"#, r#"{"ä":"é,\"ü\"","b":"ö"}"#]
    );
}

#[test]
fn what_is_in_quotes_is_untouched() {
    assert_eq!(
        rows("a.csv", "pw,pad\n\" secret \",\"\tx\t\"\n  bare  ,\"q\" \n"),
        [r#"{"pw":" secret ","pad":"\tx\t"}"#, r#"{"pw":"bare","pad":"q"}"#]
    );
}

#[test]
fn spaces_around_quotes_are_no_part_of_a_cell_or_a_name() {
    assert_eq!(
        rows("a.csv", "id, \" name \"\n1, \"x, y\"\n2,\t\" z\" \n3, a \"b\"\n"),
        [r#"{"id":"1","name":"x, y"}"#, r#"{"id":"2","name":" z"}"#, r#"{"id":"3","name":"a \"b\""}"#]
    );
    // Where the separator is a tab, a tab is no space.
    let data = read("a.csv", b"a\tb\n\t\"x\"\n", Some(b'\t')).0.unwrap();
    assert_eq!(json_text(&data.rows.get(0).unwrap()), r#"{"a":"","b":"x"}"#);
}

#[test]
fn one_row_has_only_so_many_values() {
    let row = format!("[{}0]", "0,".repeat(1_000_000));
    let told = "row 2 has more than 1000000 values, which is the most that is read";
    assert_eq!(wrong("a.json", format!("[[], {row}]").as_bytes()).0, told);
    assert_eq!(wrong("a.jsonl", format!("[]\n{row}\n").as_bytes()).0, told);
    let text = format!("[[\"{}\\\",,\"], 2]", ",".repeat(1_000_001));
    assert_eq!(read("a.json", text.as_bytes(), None).0.unwrap().rows.len(), 2);
}

#[test]
fn another_separator_is_said_or_asked_for() {
    let text = b"email;note\na@b;\"x;y\"\n";
    assert_eq!(
        wrong("a.csv", text),
        (
            "the cells seem to be separated by `;`".to_owned(),
            "write `separator: \";\"` beside `file`, or `separator: \",\"` if this is one column".to_owned()
        )
    );
    assert!(wrong("a.csv", b"a\tb\n1\t2\n").1.contains("separator: \"\\t\""));
    let data = read("a.csv", text, Some(b';')).0.unwrap();
    assert_eq!(json_text(&data.rows.get(0).unwrap()), r#"{"email":"a@b","note":"x;y"}"#);
    let data = read("a.csv", text, Some(b',')).0;
    assert_eq!(data.unwrap().columns.unwrap(), ["email;note"]);
}

#[test]
fn json_rows_keep_their_types_and_the_order_of_their_keys() {
    assert_eq!(rows("a.json", "[{\"n\": 1, \"a\": []}, 2]"), [r#"{"n":1,"a":[]}"#, "2"]);
    assert_eq!(rows("a.jsonl", "{\"n\": 1}\n\n[2]"), [r#"{"n":1}"#, "[2]"]);
    assert_eq!(
        rows("a.ndjson", "{\"id\": 123456789012345678901234567890}\r\n"),
        [r#"{"id":123456789012345678901234567890}"#]
    );
    // A long file is read row by row.
    let filler = "x".repeat(5 << 20);
    let text = format!(r#" [ {{"b": "[,\"", "a": [1, {{}}]}} , 2,"{filler}", []] "#);
    let rows = rows("a.json", &text);
    assert_eq!(
        (rows.len(), &rows[0][..], &rows[1][..], &rows[3][..]),
        (4, r#"{"b":"[,\"","a":[1,{}]}"#, "2", "[]")
    );
}

#[test]
fn the_columns_of_all_rows_are_known() {
    let columns = |name, text: &str| read(name, text.as_bytes(), None).0.unwrap().columns;
    assert_eq!(columns("a.json", r#"[{"b": 1, "a": 2}, {"c": 1}]"#).unwrap(), ["a", "b", "c"]);
    assert_eq!(columns("a.json", r#"[{"b": 1}, 2]"#), None);
    assert_eq!(columns("a.csv", "b,a\n1,2").unwrap(), ["b", "a"]);
}

#[test]
fn how_a_file_is_written_makes_no_difference_to_its_canonical_form() {
    let canonical = |name, text: &str| read(name, text.as_bytes(), None).1;
    let wanted = r#"[{"a":"2","b":"1 \""},{"a":"4","b":"3"}]"#;
    assert_eq!(canonical("a.csv", "b,a\n\"1 \"\"\",2\n3,4\n"), wanted);
    assert_eq!(canonical("a.csv", "a,b\r\n 2 ,\"1 \"\"\" \n\"4\",\" 3\""), wanted);
    assert_eq!(canonical("a.json", "[ {\"b\": 1.0, \"a\" :2}]"), r#"[{"a":2,"b":1.0}]"#);
    assert_eq!(canonical("a.jsonl", "{\"b\": 1.0, \"a\" :2}"), r#"[{"a":2,"b":1.0}]"#);
}

#[test]
fn what_cannot_be_used_says_why_and_where() {
    for (name, text, message) in [
        ("a.csv", &b"a,b\n1,2\n\n3\n"[..], "line 4 has 1 cell, and the first line names 2 columns"),
        (
            "a.csv",
            b"a,b\n\"1\n2\",2\n3,4,5\n",
            "line 4 has more than 2 cells, and the first line names 2 columns",
        ),
        ("a.csv", b"a,b,a\n1,2,3\n", "the columns 1 and 3 are both named `a`"),
        ("a.csv", b"a,b\n1,\"2\n3,4\n", "line 2 opens a quote that is never closed"),
        ("a.csv", b"a,b\n1,\"say \"hi\"\"\n", "line 2 has text behind a closing quote"),
        ("a.csv", b"name\nJos\xe9\n", "line 2 is not UTF-8: a character begins with the byte 0xE9"),
        ("a.csv", b"\xff\xfea\0", "it is UTF-16"),
        ("a.json", b"{}", "the JSON is not a list at line 1 column 2"),
        ("a.json", b"1", "invalid type: integer `1`, expected a list at line 1 column 1"),
        ("a.json", b"[1,", "EOF while parsing a value at line 1 column 3"),
        ("a.json", b"nope", "expected ident at line 1 column 2"),
        ("a.jsonl", b"{}\n{\"a\" 1}", "line 2: expected `:` at column 6"),
        ("a.jsonl", b"1\n[1,\n", "line 2: EOF while parsing a value at column 3"),
    ] {
        assert_eq!(wrong(name, text).0, message, "{}", String::from_utf8_lossy(text));
    }
    for empty in ["", "a,b\n", "\n\n"] {
        assert!(wrong("a.csv", empty.as_bytes()).0.contains("has no rows"), "{empty:?}");
    }
    let many = vec!["c"; 20_000].join(",");
    assert!(wrong("a.csv", many.as_bytes()).0.contains("line 1 has more than 16384 columns"));
    let wide = format!("a,b\n{}", ",".repeat(1 << 20));
    assert_eq!(
        wrong("a.csv", wide.as_bytes()).0,
        "line 2 has more than 2 cells, and the first line names 2 columns"
    );
    let nowhere = load(Path::new("/nowhere.csv"), None, &mut |_| {});
    assert!(nowhere.unwrap_err().to_string().contains("/nowhere.csv"));
}
