// Reads and writes logs with the Go checksum database's own packages: golang.org/x/mod/sumdb/note and tlog.
//
//	log_check check <folder>   verify an export: checkpoint, tiles, every entry, proof files, consistency proofs
//	log_check make <n>         sign a log of n entries "entry <i>" and prove it; prints JSON
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func need(truth bool, what string) {
	if !truth {
		log.Fatal(what)
	}
}

// cosigner verifies Ed25519 cosignature/v1 lines; the note package calls it for every line of its name and key id.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	head := fmt.Sprintf("cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(sig))
	return ed25519.Verify(c.key, append([]byte(head), msg...), sig[8:])
}

func verifiers(folder string) note.Verifiers {
	var known []note.Verifier
	for _, vkey := range strings.Fields(read(folder, "keys.txt")) {
		parts := strings.SplitN(vkey, "+", 3)
		raw, err := base64.StdEncoding.DecodeString(parts[2])
		must(err)
		switch raw[0] {
		case 1:
			v, err := note.NewVerifier(vkey)
			must(err)
			known = append(known, v)
		case 4:
			sum := sha256.Sum256(append([]byte(parts[0]+"\n"), raw...))
			known = append(known, cosigner{parts[0], binary.BigEndian.Uint32(sum[:]), raw[1:]})
		}
	}
	return note.VerifierList(known...)
}

func open(data string, known note.Verifiers) (tlog.Tree, *note.Note) {
	n, err := note.Open([]byte(data), known)
	must(err)
	lines := strings.Split(n.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	hash, err := tlog.ParseHash(lines[2])
	must(err)
	return tlog.Tree{N: size, Hash: hash}, n
}

func read(parts ...string) string {
	data, err := os.ReadFile(filepath.Join(parts...))
	must(err)
	return string(data)
}

// folderTiles gives tlog its tiles. Its own paths carry the height, which c2sp.org/tlog-tiles fixes at 8 and leaves out.
type folderTiles string

func (f folderTiles) Height() int                     { return 8 }
func (f folderTiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (f folderTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		data, err := os.ReadFile(filepath.Join(string(f), strings.Replace(t.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func entries(folder string, size int64) [][]byte {
	var all [][]byte
	for n := int64(0); n<<8 < size; n++ {
		t := tlog.Tile{H: 8, L: -1, N: n, W: 256}
		if size-n<<8 < 256 {
			t.W = int(size - n<<8)
		}
		data := []byte(read(folder, strings.Replace(t.Path(), "tile/8/data/", "tile/entries/", 1)))
		for i := 0; i < t.W; i++ {
			end := 2 + int(binary.BigEndian.Uint16(data))
			all = append(all, data[2:end])
			data = data[end:]
		}
		need(len(data) == 0, "bundle too long")
	}
	return all
}

func hashes(lines []string) []tlog.Hash {
	var all []tlog.Hash
	for _, line := range lines {
		h, err := tlog.ParseHash(line)
		must(err)
		all = append(all, h)
	}
	return all
}

type growth struct {
	Old, New         int64
	OldRoot, NewRoot tlog.Hash
	Proof            []tlog.Hash
}

func check(folder string) {
	known := verifiers(folder)
	tree, n := open(read(folder, "checkpoint"), known)
	var signers []string
	for _, s := range n.Sigs {
		signers = append(signers, s.Name)
	}
	all := entries(folder, tree.N)
	reader := tlog.TileHashReader(tree, folderTiles(folder))
	for i, entry := range all {
		proof, err := tlog.ProveRecord(tree.N, int64(i), reader)
		must(err)
		must(tlog.CheckRecord(proof, tree.N, tree.Hash, int64(i), tlog.RecordHash(entry)))
	}
	files, err := filepath.Glob(filepath.Join(folder, "proofs", "*.tlog-proof"))
	must(err)
	for _, file := range files {
		head, rest, _ := strings.Cut(read(file), "\n\n")
		lines := strings.Split(head, "\n")
		if strings.HasPrefix(lines[1], "extra ") {
			lines = lines[1:]
		}
		index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
		must(err)
		at, _ := open(rest, known)
		must(tlog.CheckRecord(hashes(lines[2:]), at.N, at.Hash, index, tlog.RecordHash(all[index])))
	}
	var grown []growth
	must(json.Unmarshal([]byte(read(folder, "consistency.json")), &grown))
	for _, g := range grown {
		must(tlog.CheckTree(g.Proof, g.New, g.NewRoot, g.Old, g.OldRoot))
		again, err := tlog.ProveTree(tree.N, g.Old, reader)
		must(err)
		must(tlog.CheckTree(again, tree.N, tree.Hash, g.Old, g.OldRoot))
	}
	print(map[string]any{"size": tree.N, "signatures": signers, "proofs": len(files), "consistency": len(grown)})
}

func print(value any) {
	data, err := json.Marshal(value)
	must(err)
	fmt.Println(string(data))
}

func produce(size int64) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, i := range indexes {
			found = append(found, stored[i])
		}
		return found, nil
	})
	var roots []tlog.Hash
	for i := int64(0); i < size; i++ {
		root, err := tlog.TreeHash(i, reader)
		must(err)
		if i == 0 { // this package gives an empty tree 32 zero bytes, C2SP SHA-256 of nothing
			root = sha256.Sum256(nil)
		}
		roots = append(roots, root)
		more, err := tlog.StoredHashes(i, []byte(fmt.Sprintf("entry %d", i)), reader)
		must(err)
		stored = append(stored, more...)
	}
	root, err := tlog.TreeHash(size, reader)
	must(err)
	roots = append(roots, root)
	var records [][]tlog.Hash
	var grown []growth
	for i := int64(0); i < size; i++ {
		proof, err := tlog.ProveRecord(size, i, reader)
		must(err)
		records = append(records, proof)
		if i > 0 {
			proof, err := tlog.ProveTree(size, i, reader)
			must(err)
			grown = append(grown, growth{i, size, roots[i], root, proof})
		}
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, "go.example/log")
	must(err)
	signer, err := note.NewSigner(skey)
	must(err)
	text := fmt.Sprintf("go.example/log\n%d\n%s\n", size, root)
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	must(err)
	print(map[string]any{"vkey": vkey, "note": string(signed), "records": records, "growth": grown})
}

func main() {
	log.SetFlags(0)
	if os.Args[1] == "check" {
		check(os.Args[2])
		return
	}
	size, err := strconv.ParseInt(os.Args[2], 10, 64)
	must(err)
	produce(size)
}
