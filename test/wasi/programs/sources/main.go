// What a blocking Go program does: `sleep`, `input`, `files`, `panic` and `exit`, one per run.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

func testSleep() {
	start := time.Now()
	var group sync.WaitGroup
	results := make(chan string, 10)
	for _, milliseconds := range []int{150, 50, 100} {
		group.Add(1)
		go func() {
			defer group.Done()
			time.Sleep(time.Duration(milliseconds) * time.Millisecond)
			results <- fmt.Sprint(milliseconds)
		}()
	}
	group.Wait()
	close(results)
	for result := range results {
		fmt.Println(result)
	}
	passed := time.Since(start)
	fmt.Println(passed >= 150*time.Millisecond)
	select {
	case <-time.After(50 * time.Millisecond):
		fmt.Println("timeout")
	}
}

func testInput() {
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		fmt.Printf("%q\n", scanner.Text())
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func testFiles() {
	check(os.MkdirAll("/work/a/b", 0o777))
	check(os.WriteFile("/work/a/b/1.txt", []byte(strings.Repeat("one\n", 1000)), 0o666))
	check(os.Rename("/work/a/b/1.txt", "/work/two.txt"))
	check(os.Truncate("/work/two.txt", 8))
	text, err := os.ReadFile("/work/two.txt")
	check(err)
	fmt.Printf("%q\n", text)
	check(filepath.WalkDir("/work", func(path string, entry fs.DirEntry, err error) error {
		fmt.Println(path, entry.IsDir())
		return err
	}))
	check(os.RemoveAll("/work/a"))
	_, err = os.ReadFile("/work/missing")
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	_, err = os.ReadFile("/etc/passwd")
	fmt.Println(err != nil)
	fmt.Println(errors.Is(os.Mkdir("/work/two.txt", 0o777), fs.ErrExist))
}

func testPanic() {
	defer fmt.Println("deferred")
	defer func() {
		fmt.Println("recovered", recover())
		panic("again")
	}()
	time.Sleep(20 * time.Millisecond)
	panic("first")
}

func main() {
	test := ""
	if len(os.Args) > 1 {
		test = os.Args[1]
	}
	switch test {
	case "sleep":
		testSleep()
	case "input":
		testInput()
	case "files":
		testFiles()
	case "panic":
		testPanic()
	default:
		time.Sleep(20 * time.Millisecond)
		os.Exit(42)
	}
}
