// Package propose opens the pull request that asks for a promotion.
package propose
