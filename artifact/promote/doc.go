// Package promote reads promotion manifests and plans what they ask for.
//
// A promotion manifest names a staging registry, the registries its images are
// published in, and the images by digest with the tags they get. It is
// reviewed like code; what it asks for is done by package artifact/transfer.
// The formats are those of Kubernetes' image promotion: a thick manifest is
// one file, a thin one is a pair of files in a folder with many such pairs.
//
// Planning sets the manifests against an inventory, what the registries hold:
//
//	manifests, problems := promote.Read(os.DirFS("registry.k8s.io"), ".", "registry.k8s.io")
//	inventory, err := promote.ParseInventory("inventory.json", text)
//	plan := promote.Make(manifests, inventory)
//	for edge := range plan.Edges() {
//		fmt.Println(edge.Source, edge.Digest, edge.Destination, edge.Tag)
//	}
//
// An image is one digest under one name. Whatever is wrong with it is a refusal
// of that image alone, at all its destinations, so that mirrors never differ.
// A plan holds an image once with the list of its destinations: the mirrors of
// one project are many times as many edges as images.
package promote
